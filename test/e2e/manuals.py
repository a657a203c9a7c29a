# SPDX-License-Identifier: MIT
"""What the manuals and completions say of the options, and the examples that they give.

usage: manuals.py options KPROBE BUILD/man      the options are the same everywhere
       manuals.py examples FILE…                prints each example, a line of shell each
       manuals.py syscalls TABLE BUILD/man      each row of syscalls.def has its entry, with its words
"""
import re
import subprocess
import sys


def of_help(kprobe, command):
    text = subprocess.run([kprobe, "help", command], capture_output=True, text=True, check=True).stdout
    options = text.split("\noptions:\n")[1].split("\nlimits:\n")[0]
    return {m[2]: (m[1], bool(m[3]))
            for m in re.finditer(r"^  (?:-(\w), |    )--([\w-]+)( \S+)?$", options, re.M)}


def of_manual(path):
    return {m[3].replace("\\-", "-"): (m[1], bool(m[4]))
            for m in re.finditer(r"^\.It (?:Fl (\w)( Ar \S+)? , )?Fl \\-(\S+)( Ns = Ns Ar .*)?$",
                                 open(path).read(), re.M)}


def of_zsh(text, command):
    block = text.split(f"\n\t{command})\n")[1].split(";;")[0]
    return {m[1]: bool(m[2]) for m in re.finditer(r"'\*?--([\w-]+)(=?)\[", block)}


def of_fish(text, command):
    lines = re.findall(rf"^complete .*__fish_seen_subcommand_from {command}' (.*)$", text, re.M)
    return {re.match(r"-l (\S+)", line)[1]: " -r " in line for line in lines}


def of_bash(path, words):
    script = f'. {path}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kprobe; echo "${{COMPREPLY[@]}}"'
    return subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True,
                          check=True).stdout.split()


def check_options(kprobe, man):
    zsh, fish = open(f"{man}/completion.zsh").read(), open(f"{man}/completion.fish").read()
    for command in ("record", "dump", "analyze", "replay"):
        told = of_help(kprobe, command)
        assert len(told) >= 8, told
        assert of_manual(f"{man}/kprobe-{command}.1") == told, (command, told)
        valued = {name: has_value for name, (_, has_value) in told.items()}
        assert of_zsh(zsh, command) == valued, (command, of_zsh(zsh, command), valued)
        assert of_fish(fish, command) == valued, (command, of_fish(fish, command), valued)
        words = {f"--{name}" for name in told} | {f"-{short}" for short, _ in told.values() if short}
        got = set(of_bash(f"{man}/completion.bash", ["kprobe", command, "-"]))
        assert got == words, (command, got ^ words)
        print(f"{command}: {len(told)} options, the same in five places")
    values = of_bash(f"{man}/completion.bash", ["kprobe", "analyze", "--format", ""])
    refused = subprocess.run([kprobe, "analyze", "x", "--format", "none"], capture_output=True, text=True)
    page = open(f"{man}/kprobe-analyze.1").read()
    assert refused.returncode == 2 and f"'none' is not one of {'|'.join(values)}\n" in refused.stderr, refused
    assert f"One of\n{'|'.join(values)}.\n" in page and len(values) >= 3, values


def examples(paths):
    for path in paths:
        fenced = False
        for line in open(path):
            line = line.rstrip("\n")
            if path.endswith(".md"):
                fenced ^= line.startswith("```")
                m = fenced and re.match(r"(?:sudo )?(kprobe (?:record|dump|analyze|replay) [^#(]*)(#|$)", line)
            else:
                m = re.match(r"(?:\.Dl )?((?:kprobe|git bisect run) .*)", line)
            if m:
                print(m[1].strip().replace("\\-", "-").replace("\\&", ""))


def check_syscalls(table, man):
    entries = {}
    for entry in open(f"{man}/kprobe-syscalls.7").read().split("\n.It Fn ")[1:]:
        head, text = entry.split("\n", 1)
        name, *args = head.split()
        assert name not in entries, name
        entries[name] = args, text
    rows = re.findall(r"^SYSCALL\((\d+), (\w+), (\w+), (\w+), \w+, ([\w |]+)(.*)\)$", open(table).read(), re.M)
    assert len(rows) > 370 and len(rows) == len(entries), (len(rows), len(entries))
    words = {"EMULATE": "served", "EXECUTE": "executed", "SPECIAL": "special", "REFUSE": "refused"}
    for nr, i386, name, action, traits, args in rows:
        told, text = entries[name]
        assert told == re.findall(r"[A-Z_]+\((\w+)", args.replace("FAILS(", "")), (name, told)
        number = f"Number {nr}" + ("" if i386 == "NA" else f", i386 {i386}")
        assert text.startswith(f"{number}; {words[action]}.\nResult: "), (name, text)
        assert len(re.findall(r"^[Ii]t ", text, re.M)) == (0 if traits == "0" else len(traits.split("|"))), (name, text)
        assert "(null)" not in text, text
    print(f"{len(rows)} system calls, each with its entry")


if sys.argv[1] == "options":
    check_options(*sys.argv[2:])
elif sys.argv[1] == "syscalls":
    check_syscalls(*sys.argv[2:])
else:
    examples(sys.argv[2:])
