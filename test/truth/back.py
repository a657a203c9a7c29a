# SPDX-License-Identifier: MIT
"""The last service of the truth benchmark: a thread for each connection, each write is synced.

usage: back.py PORT FOLDER SLOW-FOLDER SPANS-FILE
/health is answered at once; the queries of others say what is done, see serve().
"""
import os
import socket
import sys
import threading
import time

from service import Request, Spans, burn

port, folder, slow_folder, path = sys.argv[1:]
spans = Spans(path, "back", "bb")
ledgers = [os.open(at + "/ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if at != "-" else -1
           for at in (folder, slow_folder)]


def read_body(s, data, length):
    left = length - len(data)
    while left > 0:
        got = s.recv(min(left, 1 << 16))
        if not got:
            return
        left -= len(got)


def work(s, request, rest):
    time.sleep(request.number("pause") / 1e6)
    read_body(s, rest, request.length)
    request.stamp("back_read")
    time.sleep(request.number("rest") / 1e6)
    cpu = time.thread_time_ns()
    burn(request.number("compute"))
    request.tell("back_cpu", time.thread_time_ns() - cpu)
    request.stamp("back_worked")
    ledger = ledgers[request.number("slow")]
    os.write(ledger, b"x" * 200)
    os.fsync(ledger)
    request.stamp("back_synced")


def serve(s):
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            got = s.recv(4096)
            if not got:
                return
            data += got
        head, _, rest = data.partition(b"\r\n\r\n")
        data = b""
        request = Request(head)
        request.stamp("back_rx")
        if request.path == "/write":
            work(s, request, rest)
        request.stamp("back_tx")
        s.sendall(request.reply())
        if request.path == "/write":
            spans.write(request, spans.next_id(), "write")


listener = socket.create_server(("0.0.0.0", int(port)), backlog=64)
# What a slow reader has not taken makes the sender wait.
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
