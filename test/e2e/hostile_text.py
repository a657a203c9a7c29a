# SPDX-License-Identifier: MIT
"""What a terminal would obey must not be in the files.

usage: hostile_text.py text|color|json|jsonl FILE…

text: UTF-8, of control characters only newlines, nothing that hides or turns text. color: SGR
sequences besides. json, jsonl: that, and the file, or each line of it, parses.
"""
import json
import re
import sys
import unicodedata

SGR = re.compile(r"\033\[[0-9;]*m")


def main():
    kind = sys.argv[1]
    for path in sys.argv[2:]:
        data = open(path, "rb").read()
        text = data.decode()  # fails where it is not UTF-8
        shown = SGR.sub("", text) if kind == "color" else text
        bad = [c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]
        assert not bad, (path, bad[0], shown)
        assert "LINE" not in [line[:4] for line in shown.split("\n")], (path, shown)
        if kind == "json":
            json.loads(text)
        if kind == "jsonl":
            assert [json.loads(line) for line in text.splitlines()], path


main()
