#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nginx, and clients that ask it: two that keep their connection, one that does not.

usage: web.py FOLDER NGINX; until it is killed
"""
import os
import signal
import socket
import subprocess
import sys
import threading
import time

folder, program = sys.argv[1:]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def ask(s):
    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return s.recv(65536)


def keep(port):
    with socket.create_connection(("127.0.0.1", port)) as s:
        while ask(s):
            time.sleep(0.003)


def come_again(port):
    with socket.create_connection(("127.0.0.1", port)) as s:
        ask(s)
    time.sleep(0.02)


def client(port, what):
    while True:
        try:
            what(port)
        except OSError:
            time.sleep(0.1)


port = free_port()
with open(folder + "/nginx.conf", "w") as f:
    f.write(f"""user root; daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
server {{ listen 127.0.0.1:{port}; location / {{ return 200 "soak"; }} }} }}
""")
server = subprocess.Popen([program, "-c", folder + "/nginx.conf", "-p", folder])
signal.signal(signal.SIGTERM, lambda *_: os.kill(server.pid, signal.SIGTERM))
for what in keep, keep, come_again:
    threading.Thread(target=client, args=(port, what), daemon=True).start()
server.wait()
