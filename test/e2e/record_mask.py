#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks for card numbers in all that a log holds.

usage: record_mask.py KPROBE LOG NUMBER...    prints, for each number, where it is: lines of WHERE NUMBER

Events are looked at one by one, and the bytes that one descriptor of a process moved one after the
other as a whole; objects are unpacked. A number is its digits, whatever stands between their groups.
"""
import base64
import collections
import json
import pathlib
import re
import subprocess
import sys

kprobe, log, *numbers = sys.argv[1:]
patterns = {n: re.compile(rb"(?:%20|[ +-])?".join(c.encode() for c in n)) for n in numbers}


def look(where, data):
    for number, pattern in patterns.items():
        if pattern.search(data) or pattern.search(data.replace(b"\0", b"")):
            print(where, number)


def content(packed):
    """The file that an object holds, kprobe-log(5): its length, then pieces of pages."""
    data = subprocess.run(["zstd", "-dc"], input=packed, stdout=subprocess.PIPE, check=True).stdout
    file = bytearray(int.from_bytes(data[:8], "little"))
    at = 8
    while at < len(data):
        head = int.from_bytes(data[at:at + 8], "little")
        at += 8
        for page in range(16):
            if head >> page & 1:
                begin = (head >> 16) * 65536 + page * 4096
                end = min(begin + 4096, len(file))
                file[begin:end] = data[at:at + end - begin]
                at += end - begin
    return bytes(file)


streams = collections.defaultdict(bytes)
dump = subprocess.run([kprobe, "dump", "-f", "jsonl", log], stdout=subprocess.PIPE, check=True)
for line in dump.stdout.splitlines():
    event = json.loads(line)
    data = event.get("data", "")
    if event["kind"] in ("payload", "memory", "signal_deliver"):
        data = base64.b64decode(data)
        if event["kind"] == "payload":
            streams[event["pid"], event["arg0"], event["dir"], event["nr"]] += data
        look(event["kind"], data)
    else:
        look(event["kind"], line)
for data in streams.values():
    look("stream", data)
for path in pathlib.Path(log).glob("objects/*/*"):
    look("object", content(path.read_bytes()))
for path in pathlib.Path(log).glob("*/*.kpl"):
    look("segment", path.read_bytes())
