# SPDX-License-Identifier: MIT
"""An unrelated client that polls a service. usage: neighbour.py ADDRESS PORT"""
import socket
import sys
import time

PAUSE_S = 0.02
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
while True:
    s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    if not s.recv(65536):
        sys.exit("the service is gone")
    time.sleep(PAUSE_S)
