# SPDX-License-Identifier: MIT
# Keeps one connection of each sort talking: TCP over IPv4 and IPv6, a pair of unix sockets. Says
# their ports and inodes.
import os, socket, sys, threading, time

end = time.time() + float(sys.argv[1])


def answer(s):
    while data := s.recv(64):
        s.sendall(data)


def connected(family, host):
    listener = socket.create_server((host, 0), family=family)
    client = socket.socket(family, socket.SOCK_STREAM)
    client.connect(listener.getsockname()[:2])
    return client, listener.accept()[0]


pairs = [connected(socket.AF_INET, "127.0.0.1"), connected(socket.AF_INET6, "::1"),
         socket.socketpair()]
for client, server in pairs:
    threading.Thread(target=answer, args=(server,), daemon=True).start()
print(os.getpid(), *(port for client, server in pairs[:2]
                     for port in (client.getsockname()[1], server.getsockname()[1])),
      *(os.fstat(s.fileno()).st_ino for s in pairs[2]), flush=True)
while time.time() < end:
    for client, server in pairs:
        client.sendall(b"x")
        client.recv(64)
    time.sleep(0.02)
