# SPDX-License-Identifier: MIT
"""The first service of the truth benchmark: one event loop, connections to the next service kept.

usage: edge.py PORT NEXT-ADDRESS NEXT-PORT SPANS-FILE
/health is answered at once, /loop?loop=US computes in the loop, /pay asks the next service.
"""
import asyncio
import sys

from service import Request, Spans, burn

port, address, next_port, path = sys.argv[1:]
spans = Spans(path, "edge", "ee")
idle = []


async def ask(request, span):
    reader, writer = idle.pop() if idle else await asyncio.open_connection(address, int(next_port))
    request.stamp("edge_ask")
    writer.write(f"GET /settle?{request.query} HTTP/1.1\r\nHost: next\r\n"
                 f"traceparent: 00-{request.parent[1]}-{span}-01\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(2)
    request.stamp("edge_told")
    idle.append((reader, writer))
    for line in head.decode().split("\r\n"):
        if line.startswith("Stamps: "):
            request.stamps += line[8:]


async def serve(reader, writer):
    while True:
        try:
            request = Request(await reader.readuntil(b"\r\n\r\n"))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        request.stamp("edge_rx")
        span = spans.next_id()
        if request.path == "/pay":
            await ask(request, span)
        for i, t in enumerate(burn(request.number("loop"))):
            request.tell(f"ran{i}", t)
        request.stamp("edge_tx")
        writer.write(request.reply())
        if request.path == "/pay":
            spans.write(request, span, "pay")


async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", int(port))
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
