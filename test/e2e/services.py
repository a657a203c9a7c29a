# SPDX-License-Identifier: MIT
"""Requests to real services whose delays are known, beside neighbours that use the same service.

usage: services.py FOLDER; a line each: NAME PID BEGIN END KIND CAUSE_PID NEIGHBOUR_PID
The window is the requesting process' own; the neighbour is never the cause.
"""
import asyncio
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

folder = os.path.abspath(sys.argv[1])
children = []
DELAY = 0.06


def free_ports():
    while True:
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        yield port


def child(fn, *args):
    pid = os.fork()
    if not pid:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(os.open(folder + "/words", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        try:
            fn(*args)
        finally:
            os._exit(0)
    children.append(pid)
    return pid


def command(*args):
    run = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=open(folder + "/words", "a"),
                           start_new_session=True)
    children.append(run.pid)
    return run.pid


def connect(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"port {port} does not answer")


def read_reply(s):
    data = b""
    while b"\r\n\r\n" not in data:
        data += s.recv(65536) or sys.exit("no reply")
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            while len(body) < int(line.split(b":")[1]):
                body += s.recv(65536)
    return body


def get(s, path):
    s.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    return read_reply(s)


def get_chunked(s, path):
    s.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while not data.endswith(b"0\r\n\r\n"):
        data += s.recv(65536) or sys.exit("no reply")


def reply(text):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        hashlib.sha256(b"x" * 512).digest()


def backend(at, work, closes=False):
    """A thread for each connection; /quick answers at once. at: a port, or the path of a unix socket."""
    if isinstance(at, str):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(at)
        listener.listen()
    else:
        listener = socket.create_server(("127.0.0.1", at))

    def serve(s):
        while data := s.recv(65536):
            if b"/quick" not in data:
                work(*[data] * work.__code__.co_argcount)
            if closes:
                s.sendall(b"HTTP/1.0 200 OK\r\n\r\nhalf")
                work()
                s.close()
                return
            s.sendall(reply(b"done"))

    while True:
        s, _ = listener.accept()
        threading.Thread(target=serve, args=(s,), daemon=True).start()


def neighbour(port, path, pause):
    s = connect(port)
    while True:
        get(s, path)
        time.sleep(pause)


def ask(s, request):
    """Time and pid of one request from a process of its own."""
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        begin = time.time_ns()
        request(s)
        os.write(w, b"%d %d" % (begin, time.time_ns()))
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(w)
    begin, end = os.read(r, 100).split()
    os.close(r)
    return pid, begin.decode(), end.decode()


def iso(ns):
    return "%s.%09d" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(ns) / 1e9 // 1)), int(ns) % 10**9) + "Z"


def tell(name, window, kind, cause, beside):
    pid, begin, end = window
    print(name, pid, iso(begin), iso(end), kind, cause, beside, flush=True)


def end_children():
    for pid in children:
        try:
            os.killpg(pid, signal.SIGKILL)  # nginx' workers outlive it
            os.waitpid(pid, 0)
        except OSError:
            pass
    children.clear()


def beside(name, port, request, kind, cause, neighbour_path, pause=0.003):
    """One request alone is not told: the neighbour is what makes it hard."""
    s = connect(port)
    get(s, neighbour_path)
    other = child(neighbour, port, neighbour_path, pause)
    time.sleep(0.3)
    for i in range(3):
        tell(name, ask(s, request), kind, cause, other)
        time.sleep(0.05)
    end_children()


ports = free_ports()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


# --- nginx ---

def nginx(port, upstream):
    at = folder + "/nginx"
    os.makedirs(at, exist_ok=True)
    with open(at + "/conf", "w") as f:
        f.write(f"""user root; daemon off; worker_processes 1; pid {at}/pid; error_log {at}/err;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;
uwsgi_temp_path {at}/u; scgi_temp_path {at}/s; keepalive_requests 1000000;
upstream back {{ server {upstream if isinstance(upstream, str) else "127.0.0.1:%d" % upstream}; keepalive 8; }}
server {{ listen 127.0.0.1:{port};
location /static {{ return 200 "static"; }}
location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}
""")
    return command("nginx", "-c", at + "/conf", "-p", at)


def nginx_scenarios():
    for name, work, kind in (("nginx_sleep", lambda: time.sleep(DELAY), "timer"),
                             ("nginx_compute", lambda: burn(DELAY), "on_cpu")):
        port, upstream = next(ports), next(ports)
        cause = child(backend, upstream, work)
        nginx(port, upstream)
        beside(name, port, lambda s: get(s, "/slow"), kind, cause, "/static")
    port, upstream = next(ports), next(ports)
    cause = child(backend, upstream, lambda: time.sleep(DELAY))
    nginx(port, upstream)
    beside("nginx_shared", port, lambda s: get(s, "/slow"), "timer", cause, "/quick")
    port, at = next(ports), folder + "/back"
    cause = child(backend, at, lambda: time.sleep(DELAY))
    nginx(port, "unix:" + at)
    beside("nginx_unix", port, lambda s: get(s, "/slow"), "timer", cause, "/quick")
    port, upstream = next(ports), next(ports)
    cause = child(backend, upstream, lambda: time.sleep(DELAY / 2), True)
    nginx(port, upstream)
    beside("nginx_closed", port, lambda s: get_chunked(s, "/slow"), "timer", cause, "/static")


# --- asyncio ---

def mux(port):
    """One connection, many requests under way on it; each is answered when it is done."""
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        s, _ = listener.accept()
        for line in s.makefile("rb"):
            number, what = line.split()
            threading.Timer(DELAY if what == b"slow" else 0, s.sendall, [number + b"\n"]).start()


def aio(port, upstream, ticks=False):
    numbers, waiting, shared = iter(range(10**9)), {}, []

    async def take():
        while line := await shared[0].readline():
            waiting.pop(int(line)).set_result(None)

    async def tick():
        while True:
            await asyncio.sleep(0.004)

    async def serve(reader, writer):
        back = None
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if b"/sleep" in head:
                await asyncio.sleep(DELAY)
            elif b"/up" in head:
                if not back:
                    back = await asyncio.open_connection("127.0.0.1", upstream)
                path = b"/quick" if b"quick" in head else b"/slow"
                back[1].write(b"GET " + path + b" HTTP/1.1\r\n\r\n")
                await back[0].readuntil(b"done")
            elif b"/fan" in head:
                async def part(path):
                    r, w = await asyncio.open_connection("127.0.0.1", upstream)
                    w.write(b"GET " + path + b" HTTP/1.1\r\n\r\n")
                    await r.readuntil(b"done")
                await asyncio.gather(part(b"/short"), part(b"/slow"), part(b"/quick"))
            elif b"/mux" in head:
                number = next(numbers)
                waiting[number] = asyncio.get_running_loop().create_future()
                shared[1].write(b"%d %s\n" % (number, b"quick" if b"quick" in head else b"slow"))
                await waiting[number]
            elif b"/burn" in head:
                burn(DELAY)
            elif b"/pool" in head:
                await asyncio.get_running_loop().run_in_executor(None, time.sleep, DELAY)
            writer.write(reply(b"ok"))

    async def main():
        if ticks == "mux":
            shared.extend(await asyncio.open_connection("127.0.0.1", upstream))
        other = asyncio.create_task(take() if ticks == "mux" else tick()) if ticks else None
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(main())


def aio_scenarios():
    for name, path, kind, quick in (("aio_sleep", "/sleep", "timer", "/"),
                                    ("aio_upstream", "/up", "timer", "/"),
                                    ("aio_upstream_shared", "/up", "timer", "/up-quick"),
                                    ("aio_pool", "/pool", "timer", "/")):
        port, upstream = next(ports), next(ports)
        back = child(backend, upstream, lambda: time.sleep(DELAY))
        server = child(aio, port, upstream)
        beside(name, port, lambda s, p=path: get(s, p), kind, back if "up" in path else server, quick)
    port, upstream = next(ports), next(ports)
    back = child(backend, upstream, lambda: time.sleep(DELAY))
    child(aio, port, upstream, True)
    beside("aio_ticking", port, lambda s: get(s, "/up"), "timer", back, "/")
    port, upstream = next(ports), next(ports)
    back = child(backend, upstream, lambda data: time.sleep(DELAY / 3 if b"short" in data else DELAY))
    child(aio, port, upstream)
    beside("aio_fan", port, lambda s: get(s, "/fan"), "timer", back, "/")
    port, upstream = next(ports), next(ports)
    back = child(mux, upstream)
    connect(upstream).close()
    child(aio, port, upstream, "mux")
    beside("aio_mux", port, lambda s: get(s, "/mux"), "timer", back, "/mux-quick")
    port = next(ports)
    server = child(aio, port, 1)
    beside("aio_busy", port, lambda s: get(s, "/"), "on_cpu", server, "/burn", 0)


# --- node ---

NODE = """
const http = require('http'), crypto = require('crypto');
const agent = new http.Agent({keepAlive: true, maxSockets: 8});
http.createServer((q, r) => {
  if (q.url == '/timer') setTimeout(() => r.end('ok'), 60);
  else if (q.url == '/kdf') crypto.pbkdf2('x', 'y', +process.argv[4], 64, 'sha512', () => r.end('ok'));
  else if (q.url.startsWith('/up'))
    http.get({port: +process.argv[3], host: '127.0.0.1', agent, path: q.url == '/up' ? '/slow' : '/quick'},
             a => { a.resume(); a.on('end', () => r.end('ok')); });
  else r.end('ok');
}).listen(+process.argv[2], '127.0.0.1');
"""


def node_scenarios():
    with open(folder + "/server.js", "w") as f:
        f.write(NODE)
    for name, path, kind, quick in (("node_timer", "/timer", "timer", "/"),
                                    ("node_kdf", "/kdf", "on_cpu", "/"),
                                    ("node_upstream", "/up", "timer", "/"),
                                    ("node_upstream_shared", "/up", "timer", "/up-quick")):
        port, upstream = next(ports), next(ports)
        back = child(backend, upstream, lambda: time.sleep(DELAY))
        server = command("node", folder + "/server.js", str(port), str(upstream), "170000")
        get(connect(port), path)
        beside(name, port, lambda s, p=path: get(s, p), kind, back if "up" in path else server, quick)


# --- Go ---

GO = """
package main
import ("io"; "net/http"; "os"; "sync"; "time")
func main() {
	var lock sync.Mutex
	up := "http://127.0.0.1:" + os.Args[2]
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/sleep": time.Sleep(60 * time.Millisecond)
		case "/up", "/up-quick":
			path := "/slow"
			if r.URL.Path != "/up" { path = "/quick" }
			a, err := http.Get(up + path)
			if err == nil { io.Copy(io.Discard, a.Body); a.Body.Close() }
		case "/lock": lock.Lock(); time.Sleep(60 * time.Millisecond); lock.Unlock()
		case "/spin": for end := time.Now().Add(60 * time.Millisecond); time.Now().Before(end); {}
		}
		w.Header().Set("Content-Length", "2")
		w.Write([]byte("ok"))
	})
	http.ListenAndServe("127.0.0.1:" + os.Args[1], nil)
}
"""


def go_scenarios():
    with open(folder + "/server.go", "w") as f:
        f.write(GO)
    subprocess.run(["go", "build", "-o", folder + "/goserver", folder + "/server.go"], check=True,
                   env=dict(os.environ, HOME=folder, GO111MODULE="off"))
    for name, path, kind, quick in (("go_sleep", "/sleep", "timer", "/"),
                                    ("go_spin", "/spin", "on_cpu", "/"),
                                    ("go_lock", "/lock", "timer", "/"),
                                    ("go_upstream", "/up", "timer", "/"),
                                    ("go_upstream_shared", "/up", "timer", "/up-quick")):
        port, upstream = next(ports), next(ports)
        back = child(backend, upstream, lambda: time.sleep(DELAY))
        server = command(folder + "/goserver", str(port), str(upstream))
        beside(name, port, lambda s, p=path: get(s, p), kind, back if "up" in path else server, quick)


# --- redis ---

def redis_command(s, *words):
    s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
    return s.recv(65536)


def redis_scenarios():
    port = next(ports)
    command("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder)

    def loop(pause):
        s = connect(port)
        while True:
            redis_command(s, b"GET", b"x")
            time.sleep(pause)

    def push(go):
        s = connect(port)
        redis_command(s, b"GET", b"x")
        while os.read(go, 1):
            time.sleep(DELAY)
            redis_command(s, b"LPUSH", b"queue", b"y")

    s = connect(port)
    redis_command(s, b"GET", b"x")
    r, w = os.pipe()
    pusher, other = child(push, r), child(loop, 0.003)
    time.sleep(0.3)
    for _ in range(3):
        def request(s):
            os.write(w, b"x")
            redis_command(s, b"BLPOP", b"queue", b"0")
        tell("redis_blpop", ask(s, request), "timer", pusher, other)
    end_children()


# --- an own pool of threads behind one that reads: work is handed over by a lock ---

def pool(port, upstream):
    import queue
    jobs = queue.Queue()

    def work():
        back = connect(upstream)
        while True:
            s, data = jobs.get()
            if b"/slow" in data:
                time.sleep(DELAY)
            elif b"/up" in data:
                get(back, "/quick" if b"quick" in data else "/slow")
            s.sendall(reply(b"ok"))

    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    import selectors
    sel = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", port))
    sel.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in sel.select():
            if key.fileobj is listener:
                sel.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            data = key.fileobj.recv(65536)
            if data:
                jobs.put((key.fileobj, data))
            else:
                sel.unregister(key.fileobj)


def pool_scenarios():
    for name, path, quick in (("pool_sleep", "/slow", "/"), ("pool_upstream", "/up", "/up-quick")):
        port, upstream = next(ports), next(ports)
        back = child(backend, upstream, lambda: time.sleep(DELAY))
        server = child(pool, port, upstream)
        beside(name, port, lambda s, p=path: get(s, p), "timer", back if "up" in path else server, quick)


for needed, run in (("nginx", nginx_scenarios), (sys.executable, aio_scenarios), ("node", node_scenarios), ("go", go_scenarios),
                    ("redis-server", redis_scenarios), (sys.executable, pool_scenarios)):
    if len(sys.argv) > 2 and sys.argv[2] not in run.__name__:
        continue
    if not shutil.which(needed):
        print("# no", needed, flush=True)
        continue
    try:
        run()
    finally:
        end_children()
