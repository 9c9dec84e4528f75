"""Who may come in over HTTP, and how whoever may not is told so. Stands before every door that listens on a port.

On a loopback address no key is needed, and then only loopback names are served, in Host and in Origin: a web page from
elsewhere, whose name was bent to 127.0.0.1, must not drive an agent on this machine. Elsewhere a key is needed.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from kubemend.model.errors import InvalidInput

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CALLER = "kubemend.caller"
"""Where in an ASGI scope the name of who came in stands."""
NOBODY = "local"
"""The caller's name where no key is asked for."""
LEAST = 16
"""Characters that a key must have."""


class Keys:
    """Names of callers by their keys. Only hashes of the keys are kept."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys`: names by key. InvalidInput for one that could be guessed."""
        if short := [name for key, name in keys.items() if len(key) < LEAST]:
            raise InvalidInput(f"the key of {short[0]} has less than {LEAST} characters", code="key-weak")
        self._names = {_hash(key): name for key, name in keys.items()}

    def __bool__(self) -> bool:
        return bool(self._names)

    def name_of(self, key: str) -> str | None:
        """Whose key it is. All are compared, in a time that tells nothing."""
        asked, found = _hash(key), None
        for known, name in self._names.items():
            if hmac.compare_digest(known, asked):
                found = name
        return found


def keys_in(text: str) -> dict[str, str]:
    """The keys of a file: a line is a key, or a name and a key; `#` begins a remark."""
    found = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words:
            found[words[-1]] = words[0] if len(words) > 1 else "key"
    return found


def new_key() -> str:
    """A key that nobody guesses."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Threshold:
    """An ASGI application behind a check of where a request comes from and whose it is.

    local: whether only loopback names are served. origins: web pages of other places that may call.
    """

    app: App
    keys: Keys
    local: bool
    origins: frozenset[str] = frozenset()
    open_paths: frozenset[str] = frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, or refuse."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        refusal = self._refusal(headers)
        caller = self._caller(headers)
        if refusal is not None:
            await refuse(send, 403, "FORBIDDEN", refusal)
        elif caller is None and scope.get("path") not in self.open_paths:
            await refuse(send, 401, "UNAUTHORIZED", "a key is needed", "send Authorization: Bearer KEY")
        else:
            scope[CALLER] = caller or NOBODY
            await self.app(scope, receive, send)

    def _refusal(self, headers: Mapping[str, str]) -> str | None:
        if self.local and not is_loopback(_host(f"//{headers.get('host', '')}")):
            return "this address serves loopback names only"
        origin = headers.get("origin")
        if origin is None or origin in self.origins or (self.local and is_loopback(_host(origin))):
            return None
        return "web pages of that origin may not call"

    def _caller(self, headers: Mapping[str, str]) -> str | None:
        if not self.keys:
            return NOBODY if self.local else None
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        key = headers.get("x-api-key") or (bearer.strip() if scheme.lower() == "bearer" else "")
        return self.keys.name_of(key) if key else None


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def refuse(send: Send, status: int, code: str, message: str, suggestion: str = "") -> None:
    """Send an error in the shape that every route has."""
    body = json.dumps(problem(code, message, suggestion)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def problem(code: str, message: str, suggestion: str = "") -> dict[str, Any]:
    """An error's body."""
    details = {"message": message, **({"suggestion": suggestion} if suggestion else {})}
    return {
        "error": message,
        "status": "error",
        "error_code": code,
        "error_details": details,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request_id": "req_" + secrets.token_hex(8),
    }


def place(listen: str, *, port: int) -> tuple[str, int]:
    """HOST:PORT taken apart; `port` where none is given. InvalidInput when it is neither."""
    parts = urlsplit(f"//{listen}")
    try:
        found = parts.port
    except ValueError as error:
        raise InvalidInput(f"{listen!r} is not HOST:PORT", code="usage", hint="for example localhost:8888") from error
    if not parts.hostname or parts.path or parts.username:
        raise InvalidInput(f"{listen!r} is not HOST:PORT", code="usage", hint="for example localhost:8888")
    return parts.hostname, port if found is None else found


def origins(given: Iterable[str]) -> frozenset[str]:
    """Origins as browsers send them."""
    return frozenset(o.rstrip("/") for o in given)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
