"""The practice cluster's API server: HTTP on loopback, over one store."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from kubemend.lab.apiserver import bootstrap
from kubemend.lab.apiserver.access import Rbac, Tokens, User
from kubemend.lab.apiserver.authentication import identify
from kubemend.lab.apiserver.exchange import Answer, Request, Session, Stream
from kubemend.lab.apiserver.handler import Handler
from kubemend.lab.apiserver.reads import BOOKMARK_S, Reader
from kubemend.lab.apiserver.registry import Registry
from kubemend.lab.apiserver.reviews import REVIEWS
from kubemend.lab.apiserver.routes import flag, route
from kubemend.lab.apiserver.status import ApiError
from kubemend.lab.kinds import BY_KIND
from kubemend.lab.store import Store

if TYPE_CHECKING:
    from aiohttp import web

TOKEN_S: Final = 365 * 24 * 3600
"""Seconds that a token made by `token_for` lives."""
_READING = frozenset({"get", "list", "watch"})


@dataclass(frozen=True)
class Audited:
    """One request that asked for a change, and what became of it."""

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    user: str
    code: int
    dry_run: bool
    at: datetime


class PracticeServer:
    """A Kubernetes API server with nothing behind it but its store.

    store: what it serves; components in the same process share it through `kubemend.lab.local.LocalApi`.
    audit: every request for a change, oldest first, refused ones too. Reviews aren't changes.
    url: where it listens, once started.
    secure: speak TLS, without which kubectl sends no token and is nobody.
    bookmark_every: seconds between bookmarks on a watch.
    """

    def __init__(self, store: Store | None = None, *, secure: bool = True, bookmark_every: float = BOOKMARK_S) -> None:
        self._secure, self._authority = secure, b""
        self.store = store or Store()
        self.audit: list[Audited] = []
        self.url = ""
        self._tokens = Tokens(self.store)
        self._rbac = Rbac(self.store)
        self._registry = Registry(self.store)
        reader = Reader(self.store, bookmark_every=bookmark_every)
        self._handler = Handler(self._registry, reader, self._rbac, self._tokens)
        self._runner: web.AppRunner | None = None
        if not self.store.all("Namespace"):
            bootstrap.found(self._registry)

    @property
    def admin_token(self) -> str:
        """The bearer token of a member of `system:masters`."""
        return self._tokens.admin

    def token_for(self, namespace: str, name: str) -> str:
        """A token for a ServiceAccount. Raises `ApiError` (404) when there is no such account."""
        return self._tokens.issue(self._registry.found(BY_KIND["ServiceAccount"], namespace, name), TOKEN_S)

    def kubeconfig(self, token: str = "") -> dict[str, Any]:
        """A kubeconfig for this server, for the admin or whoever has the token. Only once it is started."""
        trust = {"certificate-authority-data": base64.b64encode(self._authority).decode()} if self._secure else {}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "practice", "cluster": {"server": self.url, **trust}}],
            "users": [{"name": "practice", "user": {"token": token or self.admin_token}}],
            "contexts": [{"name": "practice", "context": {"cluster": "practice", "user": "practice"}}],
            "current-context": "practice",
        }

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1, on any free port unless one is given."""
        # Both are slow to import, and needed by a started server alone.
        from kubemend.lab.apiserver.carrier import listen  # noqa: PLC0415
        from kubemend.lab.apiserver.certificate import certificate  # noqa: PLC0415

        own = certificate() if self._secure else None
        self._authority = own.authority if own else b""
        self._runner = await listen(self._serve, port, own.context if own else None)
        host, bound = self._runner.addresses[0][:2]
        self.url = f"{'https' if self._secure else 'http'}://{host}:{bound}"

    async def stop(self) -> None:
        """Listen no longer; watches end."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, raw: web.Request) -> Answer | Stream | Session:
        place = route(raw.path)
        asked = place.attributes(raw.method, watch=flag(raw.query, "watch"))
        command = tuple(raw.query.getall("command", ()))
        request = Request(raw.method, place, raw.query, raw.headers, await raw.read(), User(""), asked, command)
        try:
            request = replace(request, user=identify(self._tokens, self._rbac, raw.headers))
            answer = self._handler.handle(request)
        except ApiError as refused:
            answer = _refused(refused)
        if isinstance(answer, Answer):
            self._note(request, answer.code)
        elif isinstance(answer, Session):
            # A WebSocket is a GET, but what runs in it may change anything.
            self._note(replace(request, asked=replace(asked, verb="create")), 101)
        return answer

    def _note(self, request: Request, code: int) -> None:
        asked = request.asked
        if asked.verb in _READING or not asked.resource or (asked.group, asked.resource) in REVIEWS:
            return
        place = (asked.group, asked.resource, asked.subresource, asked.namespace, asked.name)
        trial, now = request.is_trial(), self.store.clock()
        self.audit.append(Audited(asked.verb, *place, request.user.name, code, trial, now))


def _refused(refused: ApiError) -> Answer:
    headers = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    return Answer(refused.body(), code=refused.http, headers=headers)
