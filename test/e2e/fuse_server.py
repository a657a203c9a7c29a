#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# A file system that can hang: serves one file, `file`, which is sleep(1), by the kernel's protocol (linux/fuse.h,
# fuse(4)), and trusts nothing to the kernel's caches, so that each question is asked again. Stopped
# by SIGSTOP it leaves whoever asks waiting.
# usage: fuse_server.py DIR
import ctypes, os, shutil, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
CONTENT = open(shutil.which("sleep"), "rb").read()
ROOT, FILE = 1, 2
LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, STATFS, RELEASE, GETXATTR = 1, 2, 3, 4, 14, 15, 17, 18, 22
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 25, 26, 27, 28, 29, 36, 42
ENOENT, ENOSYS = 2, 38


def attr(node):
    mode = 0o40755 if node == ROOT else 0o100755
    return struct.pack("<QQQQQQIIIIIIIIII", node, len(CONTENT), 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(op, node, body):
    if op == INIT:
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 0, 8, 8, 65536, 1, 8, 0, 0)
    if op == LOOKUP:
        if body.rstrip(b"\0") != b"file":
            return -ENOENT
        return struct.pack("<QQQQII", FILE, 0, 0, 0, 0, 0) + attr(FILE)
    if op in (GETATTR, SETATTR):
        return struct.pack("<QII", 0, 0, 0) + attr(node)
    if op in (OPEN, OPENDIR):
        return struct.pack("<QII", 1, 0, 0)
    if op == READ:
        _, offset, size = struct.unpack_from("<QQI", body)
        return CONTENT[offset:offset + size]
    if op == READDIR:
        return b""
    if op == STATFS:
        return struct.pack("<QQQQQIIII24x", 1, 0, 0, 1, 0, 4096, 255, 4096, 0)
    if op in (RELEASE, RELEASEDIR, FLUSH):
        return b""
    return -ENOSYS


fd = os.open("/dev/fuse", os.O_RDWR)
options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fd
if libc.mount(b"test", sys.argv[1].encode(), b"fuse", 0, options):
    sys.exit("cannot mount: " + os.strerror(ctypes.get_errno()))
while True:
    try:
        request = os.read(fd, 1 << 20)
    except OSError:
        break  # unmounted
    _, op, unique, node = struct.unpack_from("<IIQQ", request)
    if op in (FORGET, BATCH_FORGET, INTERRUPT):
        continue
    said = answer(op, node, request[40:])
    error, data = (said, b"") if isinstance(said, int) else (0, said)
    os.write(fd, struct.pack("<IiQ", 16 + len(data), error, unique) + data)
