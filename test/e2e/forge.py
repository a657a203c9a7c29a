# SPDX-License-Identifier: MIT
"""Flips one bit inside a block's events and makes checksums and hashes right again, so that the
damage reaches whoever reads the events.

usage: forge.py GOOD-SEGMENT NEW-SEGMENT SEED
"""
import random
import subprocess
import sys

import kpl


def unpacked(block):
    if block.codec != 2:
        return block.payload
    # The zeros that may stand behind the frame are an error to zstd, after it has told the rest.
    return subprocess.run(["zstd", "-dcq"], input=block.payload, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False).stdout


def main():
    segment = kpl.Segment(open(sys.argv[1], "rb").read())
    rng = random.Random(int(sys.argv[3]))
    # Small blocks hold calls, signals and images' registers; large ones are mostly memory.
    victim = rng.choice([b for b in segment.blocks if b.stored_len < 40000])
    plain = bytearray(unpacked(victim))
    plain[rng.randrange(len(plain))] ^= 1 << rng.randrange(8)
    # Left unpacked: codec 1 for codec 2.
    header = victim.header[:10] + bytes([min(victim.codec, 1)]) + victim.header[11:]
    blocks = [(header, bytes(plain)) if b is victim else (b.header, b.payload) for b in segment.blocks]
    open(sys.argv[2], "wb").write(kpl.build(segment.header, segment.text, blocks, segment.seal))


main()
