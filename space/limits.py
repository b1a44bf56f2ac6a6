"""What no caller may send: more than a form holds, and files. It stands before Gradio, which would take both."""

import contextlib
import json

MOST_BYTES = 1_000_000  # of one request; the longest form that can be filled in has some thousand
TOO_MUCH = f"A request has at most {MOST_BYTES:,} bytes."
NO_FILES = "This Space takes no files."


class TooMuch(Exception):
    """A body that goes on beyond MOST_BYTES, though its length was not announced."""


class Limits:
    """An ASGI application around another one: it answers 413 or 403, in a sentence, before the rest is read."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["path"].rstrip("/").endswith("/upload"):
            return await answer(send, 403, NO_FILES)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > MOST_BYTES:
            return await answer(send, 413, TOO_MUCH)
        came, begun = 0, False

        async def counted():
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > MOST_BYTES:
                raise TooMuch
            return message

        async def noted(message):
            nonlocal begun
            if came <= MOST_BYTES:  # else the app may call what it could not read by another name
                begun = True
                await send(message)

        with contextlib.suppress(TooMuch):
            await self.app(scope, counted, noted)
        if came > MOST_BYTES and not begun:
            await answer(send, 413, TOO_MUCH)


async def answer(send, status: int, sentence: str) -> None:
    """The sentence as JSON, and the connection closed, so that nobody goes on sending."""
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
