# SPDX-License-Identifier: MIT
"""A name server that takes its time: sMICROSECONDS.… has its answer after so long. usage: names.py ADDRESS"""
import socket
import sys
import time

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    query, client = s.recvfrom(512)
    label = query[13:13 + query[12]].decode()
    time.sleep(int(label[1:]) / 1e6)
    question = query[12:query.index(0, 12) + 5]
    # The question again, and one A record for it, by reference (RFC 1035, 4.1).
    s.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question
             + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x0a\x7b\0\1", client)
