"""Who may see the dashboard: this machine only, by an address that works once, then by a cookie.

The address's token is spent by the first browser that shows it.  Pages of other sites get nothing: the cookie is not
sent with their requests, the name of the host must be ours (or a foreign name could be made to point here), no page may
put us in a frame, and nothing runs that did not come from here.
"""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SPENT = "This address has been used, or is not one of ours. Run `rest-lsp dashboard` again for a new one."
_STRANGER = "Open the address that `rest-lsp dashboard` prints; each works once, in one browser."


class Guard:
    """ASGI middleware around the dashboard on one port."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        # Cookies know no ports, and there may be another dashboard on this machine.
        self._cookie = f"rest_lsp_dashboard_{port}"
        self._session = secrets.token_urlsafe(32)
        self._token: str | None = secrets.token_urlsafe(32)
        self.address = f"http://127.0.0.1:{port}/?token={self._token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        is_new, refusal = self._judge(scope)
        await (refusal or self._app)(scope, receive, self._with_headers(send, is_new=is_new))

    def _judge(self, scope: Scope) -> tuple[bool, PlainTextResponse | None]:
        """Whether the address was used now, for the first time; and what to answer instead of the page."""
        headers = Headers(scope=scope)
        if headers.get("host") not in self._hosts:
            return False, PlainTextResponse("This is not the host that was asked for.", 421)
        if scope["method"] not in ("GET", "HEAD"):
            return False, PlainTextResponse("There is nothing to change here.", 405)
        if headers.get("sec-fetch-site", "none") in ("cross-site", "same-site") and scope["path"] != "/":
            return False, PlainTextResponse("Other sites get nothing from here.", 403)
        if self._is_known(headers.get("cookie", "")):
            return False, None
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if scope["path"] == "/" and tokens:
            is_right = self._token is not None and _same(tokens[0], self._token)
            if is_right and scope["method"] == "GET":
                self._token = None
                return True, None
            return False, PlainTextResponse(_SPENT, 403)
        return False, PlainTextResponse(_STRANGER, 401)

    def _is_known(self, sent: str) -> bool:
        try:
            cookie = SimpleCookie(sent).get(self._cookie)
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, self._session)

    def _with_headers(self, send: Send, *, is_new: bool) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                if is_new:
                    headers["Set-Cookie"] = f"{self._cookie}={self._session}; HttpOnly; SameSite=Strict; Path=/"
            await send(message)

        return send_with_headers


def _same(given: str, wanted: str) -> bool:
    """In the same time, wherever they differ."""
    return secrets.compare_digest(given.encode(), wanted.encode())
