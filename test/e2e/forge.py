# SPDX-License-Identifier: MIT
"""Flips one bit inside a block's events and makes the checksums right again, so that the damage
reaches whoever reads the events.

usage: forge.py GOOD-SEGMENT NEW-SEGMENT SEED
"""
import random
import struct
import sys
import zlib

HEADER, BLOCK = 56, 168
TABLE = []
for i in range(256):
    for _ in range(8):
        i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
    TABLE.append(i)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def blocks(data):
    at = HEADER + struct.unpack_from("<I", data, 12)[0]
    while at + BLOCK <= len(data):  # what is shorter is the end of the log
        stored_len = struct.unpack_from("<I", data, at + 48)[0]
        yield at, at + BLOCK, at + BLOCK + stored_len
        at += BLOCK + stored_len


def main():
    data = open(sys.argv[1], "rb").read()
    rng = random.Random(int(sys.argv[3]))
    # Small blocks hold calls, signals and images' registers; large ones are mostly archived files.
    at, begin, end = rng.choice([b for b in blocks(data) if b[2] - b[1] < 40000])
    codec = data[at + 6]
    payload = bytearray(zlib.decompress(data[begin:end]) if codec == 2 else data[begin:end])
    where = rng.randrange(len(payload))
    payload[where] ^= 1 << rng.randrange(8)
    stored = zlib.compress(bytes(payload), 1) if codec == 2 else bytes(payload)
    header = bytearray(data[at:begin])
    struct.pack_into("<I", header, 48, len(stored))
    struct.pack_into("<I", header, 60, crc32c(stored))
    struct.pack_into("<I", header, 164, 0)
    struct.pack_into("<I", header, 164, crc32c(header))
    # The next block names this one's checksum.
    rest = bytearray(data[end:])
    if len(rest) >= BLOCK:
        struct.pack_into("<I", rest, 56, crc32c(stored))
        struct.pack_into("<I", rest, 164, 0)
        struct.pack_into("<I", rest, 164, crc32c(rest[:BLOCK]))
    open(sys.argv[2], "wb").write(data[:at] + header + stored + rest)


main()
