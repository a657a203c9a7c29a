# SPDX-License-Identifier: MIT
"""Writes much to a file system and syncs it, when told "MIB" on the standard input. usage: bulk.py FOLDER"""
import os
import sys
import time

print("ready", flush=True)
for line in sys.stdin:
    fd = os.open(sys.argv[1] + "/bulk", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for _ in range(int(line)):
        os.write(fd, os.urandom(1 << 20))
    print("begun", time.monotonic_ns(), flush=True)
    os.fsync(fd)
    print("ended", time.monotonic_ns(), flush=True)
    os.close(fd)
