# SPDX-License-Identifier: MIT
"""The names of flags.def against this machine's headers: a C program that says where a name that the
headers have is another number there. A name that they do not have is left out.

No name is in both files, since one of them would be forgotten.

usage: flags_table.py FLAGS.DEF COMMANDS.DEF >PROGRAM.c
"""
import re
import sys

HEADERS = """fcntl.h unistd.h sched.h signal.h time.h sys/mman.h sys/socket.h sys/epoll.h sys/eventfd.h
sys/signalfd.h sys/inotify.h sys/timerfd.h sys/wait.h sys/resource.h sys/prctl.h asm/prctl.h sys/ptrace.h
sys/ioctl.h sys/random.h sys/stat.h sys/file.h sys/xattr.h sys/shm.h sys/sem.h sys/msg.h
sys/time.h linux/futex.h linux/seccomp.h linux/membarrier.h linux/rseq.h linux/sockios.h
linux/perf_event.h linux/close_range.h linux/falloc.h netinet/in.h netinet/tcp.h""".split()
# The C library's O_LARGEFILE is 0 where off_t has 64 bits; struct termios2 is in no header beside its
# own struct termios.
OTHER = {"O_LARGEFILE", "TCGETS2", "TCSETS2"}

print("#define _GNU_SOURCE\n#include <stdio.h>")
for header in HEADERS:
    print(f"#if __has_include(<{header}>)\n#include <{header}>\n#endif")
names = set()
print("int main(void)\n{\n\tint bad = 0, known = 0;")
for line in open(sys.argv[1]):
    m = re.match(r"(?:BIT|ONE)\((?:[^,]+, )?(0x[0-9a-f]+|[0-9]+), (\w+)\)", line)
    if m:
        names.add(m[2])
    if m and m[2] not in OTHER:
        print(f"#ifdef {m[2]}\n\tknown++;\n\tif ((unsigned)({m[2]}) != {m[1]}u)\n"
              f"\t\tbad = printf(\"%s is %#x\\n\", \"{m[2]}\", (unsigned)({m[2]}));\n#endif")
for line in open(sys.argv[2]):
    m = re.match(r"COMMAND\(\w+, \w+, (\w+),", line)
    assert not m or m[1] not in names, m[1]
print('\tprintf("%d names are the same\\n", known);\n\treturn bad || known < 300;\n}')
