# SPDX-License-Identifier: MIT
# A client that connects to a virtual address, says so, and asks three times when a file has come; its
# server answers 50 ms later each time. Prints the client, its last question and answer in seconds of
# the wall clock, and the server.
# usage: translation.py ADDRESS PORT SERVER_PORT FILE
import os
import socket
import sys
import time

address, port, server_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
listener = socket.create_server((address, server_port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
server = os.fork()
if server == 0:
    connection, _ = listener.accept()
    while connection.recv(100):
        time.sleep(0.05)
        connection.send(b"answer")
    os._exit(0)
listener.close()
client = socket.create_connection((address, port))
print("connected", flush=True)
while not os.path.exists(sys.argv[4]):
    time.sleep(0.01)
for _ in range(3):
    begin = time.time_ns()
    client.send(b"question")
    client.recv(100)
    end = time.time_ns()
print(os.getpid(), *("%d.%09d" % divmod(t, 10**9) for t in (begin, end)), server, flush=True)
client.close()
os.wait()
