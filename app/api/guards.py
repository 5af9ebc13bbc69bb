"""What a request meets before its address does: token, other sites, size; and safe headers."""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem

__all__ = ["BodyLimit", "OtherSites", "SafeHeaders", "TokenGuard"]

_COOKIE = "landcast_token"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


class TokenGuard:
    """Lets only those in who know the token; everybody where there is none.

    Programs send it as `Authorization: Bearer TOKEN`. A browser is sent to any page with
    `?token=TOKEN` once, and keeps it in a cookie that other sites cannot use.

    Args:
        app: What is guarded.
        token: The token, or None.
        base_path: What addresses begin with.
    """

    def __init__(self, app: ASGIApp, token: str | None, base_path: str = "") -> None:
        self._app, self._token, self._base_path = app, token, base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        free = self._token is None or scope["type"] == "lifespan" or self._is_health(scope)
        if free or self._is_known(Headers(scope=scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._greet(scope, receive, send)

    def _is_health(self, scope: Scope) -> bool:
        return bool(scope["path"] == f"{self._base_path}/health")

    def _is_known(self, headers: Headers) -> bool:
        kind, _, sent = headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(sent.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("Cookie", "")).get(_COOKIE)
        except CookieError:
            return False
        return cookie is not None and self._is_token(cookie.value)

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), (self._token or "").encode())

    async def _greet(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the cookie to a browser that comes with the token, and refuse all others."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        sent = dict(query).get("token", "")
        if scope["method"] == "GET" and self._is_token(sent):
            rest = urlencode([(key, value) for key, value in query if key != "token"])
            # Never of two slashes, which would name another host.
            path = "/" + scope["path"].lstrip("/")
            response = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
            response.set_cookie(
                _COOKIE, sent, path=self._base_path or "/", httponly=True, samesite="strict"
            )
            await response(scope, receive, send)
            return
        refusal = problem(
            401,
            "expected the token of this server as 'Authorization: Bearer TOKEN'",
            {"WWW-Authenticate": "Bearer"},
        )
        await refusal(scope, receive, send)


class OtherSites:
    """Refuses what a page of another site has a visitor's browser send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            came = Headers(scope=scope).get("Sec-Fetch-Site", "none")
            if came not in ("none", "same-origin"):
                refusal = problem(403, "expected a request from this site, it came from another")
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuses requests of too many bytes, also of those that do not say how many they send.

    Args:
        app: What is guarded.
        most: Bytes of a request.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = f"expected at most {self._most / 2**20:g} MiB in one request, it has more"
        length = Headers(scope=scope).get("Content-Length", "0")
        if length.isdecimal() and int(length) > self._most:
            await problem(413, said)(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most:
                raise HTTPException(413, said)
            return message

        await self._app(scope, counted, send)


class SafeHeaders:
    """Tells browsers to take nothing that the service sends for a page or a script."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, sent)
