# SPDX-License-Identifier: MIT
"""A segment of a log as kprobe-log(5) describes it, read and sealed without any code of kprobe."""
import hashlib
import struct

SEG_HDR, BLOCK_HDR, SEG_END = 88, 160, 64
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
        self.rest = data[at:]

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
        if self.rest:
            assert self.rest[:8] == b"\x7fKRPEND2" and len(self.rest) == SEG_END
            assert sealed(self.rest, 60) == self.rest
            assert self.rest[32:48] == prev


def build(header, text, blocks, end):
    """A segment of blocks, which are pairs of header and payload, with hashes and checksums right."""
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
    if end:
        end = bytearray(end)
        end[32:48] = prev
        out.append(sealed(end, 60))
    return b"".join(out)
