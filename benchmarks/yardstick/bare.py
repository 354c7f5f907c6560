"""The floor of the framework: a pass-through with aiohttp on both sides and nothing else. Started as a program."""

from __future__ import annotations

import sys

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web

HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding", "accept-encoding"})


async def serve(upstream: str) -> web.Application:
    """An application that sends every POST to ``upstream`` and its answer back as it comes."""
    session = ClientSession(
        connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar(), auto_decompress=False, raise_for_status=False
    )

    async def forward(request: web.Request) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        body = await request.read()
        async with session.post(upstream + request.path_qs, data=body, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            response.content_length = answer.content_length
            await response.prepare(request)
            async for data in answer.content.iter_any():
                await response.write(data)
            await response.write_eof()
            return response

    async def close(_: web.Application) -> None:
        await session.close()

    application = web.Application(client_max_size=64 << 20)
    application.router.add_post("/{path:.*}", forward)
    application.on_cleanup.append(close)
    return application


if __name__ == "__main__":
    web.run_app(serve(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None)
