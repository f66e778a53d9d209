"""Stand-ins for ntfy and Gotify, with what their documentation says of publishing, reading and streams.

    stand_ins.py ntfy|gotify PORT TOKEN

It runs with the Python packages of `scripts/python bench`. Both require TOKEN: ntfy as an access token; Gotify as the
token of a client, and with an A in front as that of an application.
"""

import asyncio
import json
import sys

from aiohttp import web

TOKEN = sys.argv[3]
# Texts by topic, oldest first; Gotify has a single topic. Then the open streams by topic.
MESSAGES: dict[str, list[str]] = {}
STREAMS: dict[str, list] = {}


async def deliver(topic: str, text: str) -> None:
    """Stores a message and writes it to the streams."""
    MESSAGES.setdefault(topic, []).append(text)
    for write in STREAMS.get(topic, ()):
        await write(text)


# --- ntfy: https://docs.ntfy.sh/publish, https://docs.ntfy.sh/subscribe/api ---


def event(kind: str, topic: str, **more: str) -> dict:
    return {"id": "sPs71M8A2T", "time": 1643935928, "event": kind, "topic": topic, **more}


def authorize(request: web.Request) -> None:
    """ntfy forbids unknown clients, and does not accept a wrong token."""
    given = request.headers.get("Authorization")
    if given != f"Bearer {TOKEN}":
        raise web.HTTPUnauthorized if given else web.HTTPForbidden


async def publish(request: web.Request) -> web.Response:
    authorize(request)
    topic, text = request.match_info["topic"], (await request.read()).decode()
    await deliver(topic, text)
    return web.json_response(event("message", topic, message=text))


async def subscribe(request: web.Request) -> web.StreamResponse:
    authorize(request)
    topic, response = request.match_info["topic"], web.StreamResponse()
    await response.prepare(request)

    async def write(kind: str, **more: str) -> None:
        await response.write(json.dumps(event(kind, topic, **more)).encode() + b"\n")

    if request.query.get("poll") == "1":
        for text in MESSAGES.get(topic, ()):
            await write("message", message=text)
        return response
    await write("open")
    await write("keepalive")
    await stay(topic, lambda text: write("message", message=text))
    return response


# --- Gotify: https://gotify.net/api-docs ---


def gotify_token(request: web.Request, token: str) -> None:
    if request.headers.get("X-Gotify-Key") != token:
        raise web.HTTPUnauthorized


async def create_message(request: web.Request) -> web.Response:
    gotify_token(request, f"A{TOKEN}")
    text = (await request.json())["message"]
    await deliver("", text)
    return web.json_response({"id": len(MESSAGES[""]), "appid": 1, "message": text})


async def get_messages(request: web.Request) -> web.Response:
    gotify_token(request, TOKEN)
    newest = MESSAGES.get("", [])[::-1][: int(request.query.get("limit", "100"))]
    return web.json_response({"paging": {"size": len(newest)}, "messages": [{"message": text} for text in newest]})


async def stream(request: web.Request) -> web.WebSocketResponse:
    gotify_token(request, TOKEN)
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await stay("", lambda text: socket.send_json({"message": text}), socket.receive)
    return socket


async def stay(topic: str, write, until=None) -> None:
    """Leaves a stream open, until its client leaves."""
    streams = STREAMS.setdefault(topic, [])
    streams.append(write)
    try:
        await (until() if until else asyncio.Event().wait())
    finally:
        streams.remove(write)


async def version(_: web.Request) -> web.Response:
    return web.json_response({"version": "3.0.0"})


ROUTES = {
    "ntfy": [web.post("/{topic}", publish), web.get("/{topic}/json", subscribe)],
    "gotify": [
        web.get("/version", version),
        web.post("/message", create_message),
        web.get("/message", get_messages),
        web.get("/stream", stream),
    ],
}

if __name__ == "__main__":
    app = web.Application()
    app.add_routes(ROUTES[sys.argv[1]])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), print=None, handler_cancellation=True)
