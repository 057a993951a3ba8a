"""Who may ask, and how much: hosts, origins, the token, the size of a body and the time that it takes to come.

A page of any site can send requests to this machine.  It cannot forge its origin, and a name that it makes point here
is not one of ours.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1 << 20
"""Clients send some ten kilobytes.  The worst JSON of so many bytes keeps the event loop for a tenth of a second."""

BODY_S = 10.0
OPEN_PATHS = ("/health", "/openapi.json")
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 503: "unavailable_error"}


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """An error as OpenAI's and llama.cpp's clients read it."""
    error = {"message": message, "type": _TYPES.get(status, "invalid_request_error"), "code": status}
    return JSONResponse({"error": error}, status, headers)


class Guard:
    """ASGI middleware.  With `hosts` empty any name of the host will do, as behind an address that was asked for."""

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        hosts: Collection[str],
        *,
        body_s: float = BODY_S,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = hosts
        self._body_s = body_s
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._judge(headers, scope["path"])
        body = b""
        if refused is None:
            try:
                body = await asyncio.wait_for(self._read(headers, receive), self._body_s)
            except asyncio.TimeoutError:
                refused = refusal(408, f"The body did not come within {self._body_s:.0f} s.", {"Connection": "close"})
            except _TooLarge:
                refused = refusal(413, f"A body may have {self._max_body_bytes} bytes.", {"Connection": "close"})
        await (refused or self._app)(scope, _replay(body, receive), send)

    def _judge(self, headers: Headers, path: str) -> Response | None:
        host = headers.get("host", "").rpartition(":")
        name = host[0] if host[1] and host[2].isdecimal() else headers.get("host", "")
        if self._hosts and name.lower() not in self._hosts:
            return refusal(421, "This is not the host that was asked for.")
        if "origin" in headers or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return refusal(403, "Pages of web sites get nothing from here.")
        if path not in OPEN_PATHS and not self._is_right(headers):
            return refusal(401, "The token is missing or wrong.", {"WWW-Authenticate": "Bearer"})
        return None

    def _is_right(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        return secrets.compare_digest(given.encode(), self._token)

    async def _read(self, headers: Headers, receive: Receive) -> bytes:
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_body_bytes:
            raise _TooLarge
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                raise _TooLarge
            if not message.get("more_body", False):
                return bytes(body)


class _TooLarge(Exception):
    """More than a body may have."""


def _replay(body: bytes, receive: Receive) -> Receive:
    """The whole body at once, then whatever comes: that the client has gone."""
    is_given = False

    async def receive_again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
