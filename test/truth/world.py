# SPDX-License-Identifier: MIT
"""The world of the truth benchmark: four network namespaces on a bridge, the services in three of them, their
disks and control groups, neighbours. Everything has a name of its own and is taken away by close().

client (switch) → edge.py (CPU 0) → nginx → middle (CPU 1) → back.py (CPU 0), names.py beside it
"""
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))
libc = ctypes.CDLL(None, use_errno=True)
PORT = 7001
BACK_PORT = 7003
NGINX_PORT = 7080
ADDRESS = {"edge": "10.123.0.1", "mid": "10.123.0.2", "back": "10.123.0.3", "switch": "10.123.0.254"}
CLONE_NEWNET = 0x40000000
# Control groups: of the middle, its CPU quota shared with two jobs; of the other services.
MIDDLE_GROUPS = ("cpu/middle", "memory", "freezer", "unified")
GROUPS = ("cpu", "cpu/rest") + MIDDLE_GROUPS
NEIGHBOURS_EACH = 3
# Of CPU time, so that what else the machine does delays the services little (cgroups(7); 1024 is normal).
SHARES = 262144
BATCH_NICE = -10


def must(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def write(path, text):
    with open(path, "w") as f:
        f.write(str(text))


def raise_journal(name):
    """The thread of a file system's journal is in no group of ours: it goes before what others do."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as f:
            if f.read().startswith(name):
                os.setpriority(os.PRIO_PROCESS, int(pid), -20)


class Helper:
    """A process that is told by lines and answers in lines."""

    def __init__(self, world, command, ns=None, cpu=None, words=None, groups=("cpu/rest",)):
        if ns:
            command = ["ip", "netns", "exec", world.ns(ns)] + command
        # Before it has memory.
        join = "".join(f"echo $$ >{world.group(name)}/cgroup.procs; " for name in groups
                       if name.split("/")[0] not in world.missing)
        command = ["sh", "-c", join + 'exec "$@"', "sh"] + command
        if cpu is not None:
            command = ["taskset", "-c", str(cpu)] + command
        self.run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                    stderr=open(world.folder + "/words", "a"), start_new_session=True)
        self.pid = self.run.pid
        if words:
            self.read(words)

    def read(self, word):
        """The numbers of the next line that begins with the word."""
        for line in self.run.stdout:
            if line.split()[:1] == [word]:
                return [int(n) for n in line.split()[1:]]
        raise RuntimeError(f"{self.run.args} ended while '{word}' was waited for")

    def tell(self, line, word=None):
        self.run.stdin.write(f"{line}\n")
        self.run.stdin.flush()
        return self.read(word) if word else None

    def end(self):
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        self.run.wait()


class Client:
    """A connection from the switch's namespace to one of the services."""

    def __init__(self, world, to, port):
        with world.inside("switch"):
            self.socket = socket.create_connection((ADDRESS[to], port))

    def send(self, path, trace=None, span="00000000000000c1"):
        parent = f"traceparent: 00-{trace}-{span}-01\r\n" if trace else ""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{parent}\r\n".encode())

    def receive(self):
        """The stamps of the answer, in nanoseconds by name."""
        data = b""
        while not data.endswith(b"\r\n\r\nok"):
            got = self.socket.recv(65536)
            if not got:
                raise RuntimeError("the service is gone")
            data += got
        for line in data.decode().split("\r\n"):
            if line.startswith("Stamps: "):
                return {k: int(v) for k, v in (pair.split("=") for pair in line[8:].split(";") if pair)}
        return {}


class World:
    def __init__(self, folder, binaries):
        self.folder, self.binaries = folder, binaries
        self.undo = contextlib.ExitStack()
        self.missing = {}  # what the machine lacks, with the reason
        self.back_disk = self.slow_disk = None

    def __enter__(self):
        try:
            self.make_groups()
            self.make_net()
            self.make_disks()
            self.make_swap()
            self.start()
        except BaseException:
            self.undo.close()
            raise
        return self

    def __exit__(self, *_):
        self.undo.close()

    def ns(self, name):
        return f"kt{os.getpid()}-{name}"

    @contextlib.contextmanager
    def inside(self, name):
        """In the network namespace: sockets made there stay there."""
        with open("/proc/self/ns/net") as mine, open("/run/netns/" + self.ns(name)) as other:
            libc.setns(other.fileno(), CLONE_NEWNET)
            try:
                yield
            finally:
                libc.setns(mine.fileno(), CLONE_NEWNET)

    def ip(self, ns, *words):
        return must("ip", "-n", self.ns(ns), *words)

    def make_net(self):
        for name in ADDRESS:
            must("ip", "netns", "add", self.ns(name))
            self.undo.callback(must, "ip", "netns", "del", self.ns(name))
            self.ip(name, "link", "set", "lo", "up")
        self.ip("switch", "link", "add", "br0", "type", "bridge")
        self.ip("switch", "addr", "add", ADDRESS["switch"] + "/24", "dev", "br0")
        self.ip("switch", "link", "set", "br0", "up")
        for name in ("edge", "mid", "back"):
            self.ip("switch", "link", "add", "to-" + name, "type", "veth", "peer", "name", "eth0", "netns",
                    self.ns(name))
            self.ip("switch", "link", "set", "to-" + name, "master", "br0", "up")
            self.ip(name, "addr", "add", ADDRESS[name] + "/24", "dev", "eth0")
            self.ip(name, "link", "set", "eth0", "up")
            # What is lost is sent again as soon as within a rack, not after 200 ms.
            self.ip(name, "route", "change", "10.123.0.0/24", "dev", "eth0", "src", ADDRESS[name], "rto_min", "40ms")
        os.makedirs("/etc/netns/" + self.ns("mid"))
        self.undo.callback(shutil.rmtree, "/etc/netns/" + self.ns("mid"))
        write(f"/etc/netns/{self.ns('mid')}/resolv.conf",
              f"nameserver {ADDRESS['back']}\noptions timeout:3 attempts:1\n")

    def mount_image(self, image, name, options):
        """An ext4 on a loop device of the file; returns the device's number as MAJOR:MINOR."""
        at = f"{self.folder}/{name}"
        os.makedirs(at)
        device = must("losetup", "--find", "--show", image).strip()
        self.undo.callback(must, "losetup", "--detach", device)
        must("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", device)
        must("mount", "-o", "noatime,commit=300," + options, device, at)
        self.undo.callback(must, "umount", at)
        raise_journal(f"jbd2/{os.path.basename(device)}-")
        number = os.stat(device).st_rdev
        return f"{os.major(number)}:{os.minor(number)}"

    def make_disks(self):
        image = self.folder + "/disk.img"
        must("truncate", "-s", "512M", image)
        # Data goes out with the journal, so that one file's sync waits for another's data.
        self.back_disk = self.mount_image(image, "disk", "nodelalloc,data=ordered")
        if not os.path.exists("/dev/fuse"):
            self.missing["fuse"] = "no /dev/fuse"
            return
        os.makedirs(self.folder + "/fuse")
        self.delayer = Helper(self, [sys.executable, here + "/slow_disk.py", self.folder + "/fuse", str(64 << 20)],
                              words="ready")
        self.undo.callback(self.delayer.end)
        self.undo.callback(must, "umount", self.folder + "/fuse")
        self.slow_disk = self.mount_image(self.folder + "/fuse/disk", "slow", "nodelalloc")

    def group(self, name):
        """Folder of CONTROLLER or CONTROLLER/CHILD."""
        controller, _, child = name.partition("/")
        return f"/sys/fs/cgroup/{controller}/kprobe-truth-{os.getpid()}/{child}"

    def make_groups(self):
        for name in GROUPS:
            controller = name.split("/")[0]
            if not os.path.isdir("/sys/fs/cgroup/" + controller):
                self.missing[controller] = f"no control group {controller}"
                continue
            os.mkdir(self.group(name))
            self.undo.callback(os.rmdir, self.group(name))
        if "cpu" not in self.missing:
            write(self.group("cpu") + "cpu.shares", SHARES)

    def make_swap(self):
        path = self.folder + "/swap"
        try:
            must("fallocate", "-l", "256M", path)
            os.chmod(path, 0o600)
            must("mkswap", path)
            must("swapon", path)
            self.undo.callback(must, "swapoff", path)
        except subprocess.CalledProcessError as e:
            self.missing["swap"] = f"no swap: {e.stderr.strip()}"

    def helper(self, *args, **more):
        helper = Helper(self, *args, **more)
        self.undo.callback(helper.end)
        return helper

    def start(self):
        python = [sys.executable]
        spans = {name: f"{self.folder}/{name}.jsonl" for name in ("edge", "mid", "back")}
        self.spans = list(spans.values())
        slow = self.folder + "/slow" if self.slow_disk else "-"
        self.back = self.helper(python + [here + "/back.py", str(BACK_PORT), self.folder + "/disk", slow,
                                          spans["back"]], ns="back", cpu=0, words="ready")
        self.names = self.helper(python + [here + "/names.py", ADDRESS["back"]], ns="back", cpu=0, words="ready")
        self.mid = self.helper([self.binaries + "/middle", str(PORT), ADDRESS["back"], str(BACK_PORT),
                                spans["mid"]], ns="mid", cpu=1, words="ready",
                               groups=MIDDLE_GROUPS)
        self.nginx = self.start_nginx()
        self.edge = self.helper(python + [here + "/edge.py", str(PORT), ADDRESS["mid"],
                                          str(NGINX_PORT if self.nginx else PORT), spans["edge"]],
                                ns="edge", cpu=0, words="ready")
        hog = self.binaries + "/hog"
        self.hog = self.helper([hog, "1", "fifo"], words="ready", groups=())
        self.batch = self.helper([hog, "1", str(BATCH_NICE)], words="ready", groups=MIDDLE_GROUPS[:1])
        self.eater = self.helper([hog, "1", "0"], words="ready", groups=MIDDLE_GROUPS[:1])
        self.bulk = self.helper(python + [here + "/bulk.py", self.folder + "/disk"], words="ready")
        self.client = Client(self, "edge", PORT)

    def start_nginx(self):
        if not shutil.which("nginx"):
            self.missing["nginx"] = "no nginx: edge asks middle itself"
            return None
        at = self.folder + "/nginx"
        os.makedirs(at)
        write(at + "/conf", f"""user root; daemon off; worker_processes 1; pid {at}/pid; error_log {at}/err;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;
uwsgi_temp_path {at}/u; scgi_temp_path {at}/s; keepalive_requests 1000000;
upstream middle {{ server 127.0.0.1:{PORT}; keepalive 8; }}
server {{ listen {ADDRESS["mid"]}:{NGINX_PORT};
location / {{ proxy_pass http://middle; proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}
""")
        nginx = self.helper(["nginx", "-c", at + "/conf", "-p", at], ns="mid", cpu=0)
        for _ in range(200):
            if os.path.exists(at + "/pid"):
                break
            time.sleep(0.01)
        return nginx

    def neighbours(self):
        """Three clients for each service that have nothing to do with the incidents."""
        for to, port in (("edge", PORT), ("mid", PORT), ("back", BACK_PORT)):
            for _ in range(NEIGHBOURS_EACH):
                self.helper([sys.executable, here + "/neighbour.py", ADDRESS[to], str(port)], ns="switch",
                            words="ready")

    def pin(self, comm, cpu):
        """The middle's threads of this name."""
        for tid in os.listdir(f"/proc/{self.mid.pid}/task"):
            with open(f"/proc/{self.mid.pid}/task/{tid}/comm") as f:
                if f.read().startswith(comm):
                    os.sched_setaffinity(int(tid), {cpu})
