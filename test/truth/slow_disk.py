# SPDX-License-Identifier: MIT
"""A disk that can be slow: serves one file, `disk`, from memory by the kernel's FUSE protocol
(linux/fuse.h), for a loop device. A line "MICROSECONDS" on the standard input delays the next sync
or write by that; when it was delayed is a line on the standard output.

usage: slow_disk.py DIR BYTES
"""
import ctypes
import os
import select
import struct
import sys
import time

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC = 1, 2, 3, 4, 14, 15, 16, 17, 18, 20
FLUSH, INIT, INTERRUPT, BATCH_FORGET = 25, 26, 36, 42
ENOENT, ENOSYS = 2, 38
ROOT, FILE, MAX_WRITE = 1, 2, 1 << 17
OPEN_DIRECT_IO = 1

at, size = sys.argv[1], int(sys.argv[2])
content = bytearray(size)
delay_us = 0


def attr(node):
    mode = 0o40755 if node == ROOT else 0o100600
    return struct.pack("<QQQQQQIIIIIIIIII", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def delay():
    global delay_us
    if delay_us:
        begun = time.monotonic_ns()
        time.sleep(delay_us / 1e6)
        print("delayed", begun, time.monotonic_ns(), flush=True)
        delay_us = 0


def answer(op, node, body):
    if op == INIT:
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 0, 8, 8, MAX_WRITE, 1, 8, 0, 0)
    if op == LOOKUP:
        if body.rstrip(b"\0") != b"disk":
            return -ENOENT
        return struct.pack("<QQQQII", FILE, 0, 3600, 3600, 0, 0) + attr(FILE)
    if op in (GETATTR, SETATTR):
        return struct.pack("<QII", 3600, 0, 0) + attr(node)
    if op == OPEN:
        return struct.pack("<QII", 1, OPEN_DIRECT_IO, 0)
    if op == READ:
        _, offset, count = struct.unpack_from("<QQI", body)
        return bytes(content[offset:offset + count])
    if op == WRITE:
        _, offset, count = struct.unpack_from("<QQI", body)
        content[offset:offset + count] = body[40:40 + count]
        delay()
        return struct.pack("<II", count, 0)
    if op == STATFS:
        return struct.pack("<QQQQQIIII24x", 1, 0, 0, 1, 0, 4096, 255, 4096, 0)
    if op in (RELEASE, FLUSH, FSYNC):
        return b""
    return -ENOSYS


fd = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fd
if libc.mount(b"kprobe-truth", at.encode(), b"fuse", 0, options):
    sys.exit("cannot mount: " + os.strerror(ctypes.get_errno()))
print("ready", flush=True)
order = b""
while True:
    for ready in select.select([fd, 0], [], [])[0]:
        if ready == 0:
            order = os.read(0, 64)
            if not order:
                sys.exit(0)
            delay_us = int(order)
            print("armed", flush=True)
            continue
        try:
            request = os.read(fd, MAX_WRITE + 65536)
        except OSError:
            sys.exit(0)  # unmounted
        _, op, unique, node = struct.unpack_from("<IIQQ", request)
        if op in (FORGET, BATCH_FORGET, INTERRUPT):
            continue
        said = answer(op, node, request[40:])
        error, data = (said, b"") if isinstance(said, int) else (0, said)
        os.write(fd, struct.pack("<IiQ", 16 + len(data), error, unique) + data)
