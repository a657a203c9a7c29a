# SPDX-License-Identifier: MIT
"""A segment of a log as kprobe-log(5) describes it, read and sealed without any code of kprobe."""
import hashlib
import struct

SEG_HDR, BLOCK_HDR, SEG_SEAL = 88, 160, 176
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


def blake2b(data):
    return hashlib.blake2b(data, digest_size=16).digest()


def sealed(header, crc_at):
    """The header with its checksum made right."""
    header = bytearray(header)
    struct.pack_into("<I", header, crc_at, 0)
    struct.pack_into("<I", header, crc_at, crc32c(header))
    return bytes(header)


class Block:
    def __init__(self, data, at):
        assert data[at:at + 4] == b"BLK2", at
        self.at = at
        (self.crc, self.len, self.codec, self.lost_cnt, self.stream) = struct.unpack_from("<IHBBI", data, at + 4)
        (self.event_cnt, self.raw_len, self.stored_len) = struct.unpack_from("<III", data, at + 48)
        self.header = data[at:at + self.len]
        self.payload = data[at + self.len:at + self.len + self.stored_len]
        self.end = at + self.len + self.stored_len
        self.prev, self.payload_hash = self.header[64:80], self.header[80:96]


class Segment:
    def __init__(self, data):
        self.data = data
        assert data[:8] == b"\x7fKRPSEG2"
        (self.version, self.len, self.text_len, self.crc) = struct.unpack_from("<IIII", data, 8)
        assert (self.version, self.len) == (2, SEG_HDR)
        self.header = data[:self.len]
        self.text = data[self.len:self.len + self.text_len]
        self.first = self.len + self.text_len
        self.blocks, at = [], self.first
        while data[at:at + 4] == b"BLK2":
            self.blocks.append(Block(data, at))
            at = self.blocks[-1].end
        # Index and seal, if it was sealed.
        self.index = self.seal = b""
        if data[-8:] == b"\x7fKRPEND2":
            self.seal = data[len(data) - SEG_SEAL:]
            self.index = data[at:len(data) - SEG_SEAL]

    def check(self):
        """Every checksum and hash, and the chain of them."""
        assert sealed(self.header, 20) == self.header
        assert self.header[72:88] == blake2b(self.text)
        prev = blake2b(self.header)
        for block in self.blocks:
            assert sealed(block.header, 4) == block.header, block.at
            assert block.prev == prev, block.at
            assert block.payload_hash == blake2b(block.payload), block.at
            prev = blake2b(block.header)
        if self.seal:
            (index_len, headers_len) = struct.unpack_from("<II", self.seal, 144)
            assert sealed(self.seal, 164) == self.seal
            assert self.seal[112:128] == prev
            assert self.seal[128:144] == blake2b(self.index) and len(self.index) == index_len
            assert headers_len == sum(block.len for block in self.blocks)


def build(header, text, blocks, seal):
    """A segment of blocks, which are pairs of header and payload, with hashes and checksums right, and
    a seal without index."""
    header = bytearray(header)
    header[72:88] = blake2b(text)
    out = [sealed(header, 20), text]
    prev = blake2b(out[0])
    for head, payload in blocks:
        head = bytearray(head)
        struct.pack_into("<I", head, 56, len(payload))
        head[64:80], head[80:96] = prev, blake2b(payload)
        out += [sealed(head, 4), payload]
        prev = blake2b(out[-2])
    if seal:
        seal = bytearray(seal)
        seal[112:128] = prev
        struct.pack_into("<II", seal, 144, 0, 0)
        out.append(sealed(seal, 164))
    return b"".join(out)
