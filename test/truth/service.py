# SPDX-License-Identifier: MIT
"""What the Python services of the truth benchmark share: requests' queries, stamps, spans."""
import json
import os
import socket
import time
import urllib.parse


GAP_NS = 50000


def burn(us):
    """Computes for so much CPU time of the thread. When it had the CPU: begin, end, begin, end, …"""
    end = time.thread_time_ns() + us * 1000
    last = time.monotonic_ns()
    ran = [last]
    while time.thread_time_ns() < end:
        now = time.monotonic_ns()
        if now - last > GAP_NS:
            ran += [last, now]
        last = now
    return ran + [last]


class Request:
    """The head of an HTTP request: path, query (numbers), traceparent; and the stamps of its answer."""

    def __init__(self, head):
        lines = head.decode().split("\r\n")
        path, _, self.query = lines[0].split()[1].partition("?")
        self.path = path
        self.numbers = {k: int(v[0]) for k, v in urllib.parse.parse_qs(self.query).items()}
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        self.length = int(headers.get("content-length", 0))
        self.parent = headers.get("traceparent", "").split("-")
        self.stamps = ""
        self.begin_ns = time.time_ns()

    def number(self, name):
        return self.numbers.get(name, 0)

    def tell(self, name, ns):
        self.stamps += f"{name}={ns};"

    def stamp(self, name):
        self.tell(name, time.monotonic_ns())

    def reply(self):
        return f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nStamps: {self.stamps}\r\n\r\nok".encode()


class Spans:
    """A file of OTLP/JSON lines, one for each span, as an exporter writes them."""

    def __init__(self, path, service, prefix):
        self.file = open(path, "a", buffering=1)
        self.service, self.prefix, self.serial = service, prefix, 0

    def next_id(self):
        self.serial += 1
        return f"{self.prefix}{self.serial:014x}"

    def write(self, request, span, name):
        def attribute(key, kind, value):
            return {"key": key, "value": {kind: value}}

        resource = [attribute("service.name", "stringValue", self.service),
                    attribute("process.pid", "intValue", str(os.getpid())),
                    attribute("host.name", "stringValue", socket.gethostname())]
        self.file.write(json.dumps({"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [
            {"spans": [{"traceId": request.parent[1], "spanId": span, "parentSpanId": request.parent[2],
                        "name": name, "kind": 2, "startTimeUnixNano": str(request.begin_ns),
                        "endTimeUnixNano": str(time.time_ns())}]}]}]}) + "\n")
