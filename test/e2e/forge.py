# SPDX-License-Identifier: MIT
"""Flips one bit inside a block's events and makes checksums and hashes right again, so that the
damage reaches whoever reads the events.

usage: forge.py GOOD-SEGMENT NEW-SEGMENT SEED
"""
import random
import sys
import zlib

import kpl


def main():
    segment = kpl.Segment(open(sys.argv[1], "rb").read())
    rng = random.Random(int(sys.argv[3]))
    # Small blocks hold calls, signals and images' registers; large ones are mostly archived files.
    victim = rng.choice([b for b in segment.blocks if b.stored_len < 40000])
    plain = bytearray(zlib.decompress(victim.payload) if victim.codec == 2 else victim.payload)
    plain[rng.randrange(len(plain))] ^= 1 << rng.randrange(8)
    stored = zlib.compress(bytes(plain), 1) if victim.codec == 2 else bytes(plain)
    blocks = [(b.header, stored if b is victim else b.payload) for b in segment.blocks]
    open(sys.argv[2], "wb").write(kpl.build(segment.header, segment.text, blocks, segment.rest))


main()
