# SPDX-License-Identifier: MIT
"""Datagrams and segments that reach one CPU together. usage: OUT

On CPU 1 one process sends bytes to another by TCP all the time, on CPU 0 another computes 3 ms before each
datagram; all packets arrive on CPU 0 (the caller has switched receive steering on). OUT gets the pids
of the two senders and of the datagrams' receiver and the port of the segments, OUT.waits the end on
CLOCK_MONOTONIC, begin and end of each of its waits.
"""
import os
import socket
import sys
import time

ROUNDS = 250


def child(cpu, run):
    pid = os.fork()
    if pid:
        return pid
    os.sched_setaffinity(0, [cpu])
    run()
    os._exit(0)


def send_segments():
    to = socket.create_connection(listener.getsockname())
    to.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        to.send(b"x")


def take_segments():
    connection, _ = listener.accept()
    while connection.recv(65536):
        pass


def send_datagrams():
    time.sleep(.5)
    for _ in range(ROUNDS):
        until = time.process_time() + .003
        while time.process_time() < until:
            pass
        ours.send(b"y")


def take_datagrams():
    with open(sys.argv[1] + ".waits", "w") as waits:
        for _ in range(ROUNDS):
            begin = time.time_ns()
            theirs.recv(9)
            print(time.monotonic_ns(), begin, time.time_ns(), file=waits)


listener = socket.create_server(("127.0.0.1", 0))
ours, theirs = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
for s in ours, theirs:
    s.bind(("127.0.0.1", 0))
ours.connect(theirs.getsockname())
theirs.connect(ours.getsockname())
taker = child(1, take_segments)
segments = child(1, send_segments)
receiver = child(0, take_datagrams)
datagrams = child(0, send_datagrams)
os.waitpid(receiver, 0)
os.kill(segments, 9)
with open(sys.argv[1], "w") as out:
    print(segments, datagrams, receiver, listener.getsockname()[1], file=out)
