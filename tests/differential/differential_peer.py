"""A server that is talked to: the practice API server in this process, or a real one over TLS."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import yaml
from differential_steps import CLUSTER_RBAC, JSON, Step, get, post
from differential_told import Settled, Teller
from differential_view import viewed
from testbed.plane import ControlPlane

from kubemend.lab.server import PracticeServer

VARIABLE = re.compile(r"\$\{(\w+)\}")
PATIENCE_S = 60
"""Seconds within which a server must have learnt what it was told, or a cluster come to what is waited for."""
AGAIN_S = 0.05
HEADERS = ("Content-Type", "Retry-After", "Warning", "Allow")

Compact = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Told:
    """An answer as it is compared."""

    code: int
    headers: dict[str, str]
    body: Any


class Peer:
    """One server in one conversation. compact: makes it forget its history. lives: it has controllers and nodes."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        space: str,
        token: str,
        compact: Compact | None = None,
        *,
        lives: bool = False,
    ) -> None:
        self._session, self._url, self._compact, self._lives = session, url, compact, lives
        self._kept: dict[str, str] = {"ns": space, "nobody": "wrong", "": token}
        self._teller = Settled() if lives else Teller()

    async def open(self) -> None:
        """Make the conversation's namespace, with the account that a controller makes where there is one."""
        told = await self.say(post("/api/v1/namespaces", {"metadata": {"name": "${ns}"}}))
        assert told.code == 201, told.body
        if self._lives:
            await self.say(get("serviceaccounts/default", until=200))
            return
        told = await self.say(post("serviceaccounts", {"metadata": {"name": "default"}}))
        assert told.code == 201, told.body

    async def say(self, step: Step) -> Told:
        """Send a step and tell the answer."""
        if step.act:
            assert self._compact is not None
            await self._compact()
            return Told(0, {}, None)
        code, headers, body = await self._send(step)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not _come(step, code, body):
                    await asyncio.sleep(AGAIN_S)
                    code, headers, body = await self._send(step)
        if not _come(step, code, body):
            headers["waited"] = f"in vain for {step.hold or step.until}"
        self._keep(step, body)
        return Told(code, self._teller.told(headers), self._teller.told(viewed(step.view, code, body)))

    async def _send(self, step: Step) -> tuple[int, dict[str, str], Any]:
        path = step.path if step.path.startswith("/") else f"/api/v1/namespaces/${{ns}}/{step.path}"
        data = step.body if isinstance(step.body, bytes | None) else msgspec.json.encode(step.body)
        if data is not None and not isinstance(step.body, bytes):
            data = self._filled(data.decode()).encode()
        headers = {"Content-Type": step.kind} if data is not None else {}
        headers["Accept"] = step.accept or JSON
        if step.by != "anonymous":
            headers["Authorization"] = f"Bearer {self._kept[step.by]}"
        async with self._session.request(
            step.method, self._url + self._filled(path), data=data and io.BytesIO(data), headers=headers
        ) as answer:
            text = (await answer.read()).decode(errors="replace")
            kept = {k: ", ".join(v) for k in HEADERS if (v := answer.headers.getall(k, []))}
            return answer.status, kept, _body(text, stream=step.stream)

    def _filled(self, text: str) -> str:
        return VARIABLE.sub(lambda found: self._kept[found[1]], text)

    def _keep(self, step: Step, body: Any) -> None:
        for variable, pointer in step.keep.items():
            self._kept[variable] = str(at(body, pointer))


def _come(step: Step, code: int, body: Any) -> bool:
    """Whether an answer is what the step waits for."""
    return step.until in (0, code) and all(at(body, pointer) == value for pointer, value in step.hold.items())


def at(body: Any, pointer: str) -> Any:
    """What a JSON pointer points at; "absent" when it isn't there, which the comparison then shows.

    "#" stands for the length of a list, "@Ready" for how many of its objects have that condition, and "type=Ready"
    for the element of which that is so.
    """
    for part in pointer.strip("/").split("/"):
        body = _inside(body, part)
    return body


def _inside(body: Any, part: str) -> Any:
    if isinstance(body, dict):
        return body.get(part, "absent")
    if not isinstance(body, list):
        return "absent"
    if part == "#":
        return len(body)
    if part.startswith("@"):
        return sum(at(item, f"/status/conditions/type={part[1:]}/status") == "True" for item in body)
    if part.isdigit():
        return body[int(part)] if int(part) < len(body) else "absent"
    key, _, value = part.partition("=")
    return next((item for item in body if item.get(key) == value), "absent")


def _body(text: str, *, stream: bool) -> Any:
    """What is read of an answer: JSON, the lines of a watch, or text."""
    try:
        if stream and not text.startswith('{"kind":"Status"'):
            return [json.loads(line) for line in text.splitlines()]
        return json.loads(text)
    except ValueError:
        return text


@asynccontextmanager
async def practice(space: str) -> AsyncIterator[Peer]:
    """A practice API server of the conversation's own."""
    server = PracticeServer(secure=False)
    await server.start()

    async def compact() -> None:
        server.store.compact()

    try:
        async with aiohttp.ClientSession() as session:
            headers = {"Authorization": f"Bearer {server.admin_token}"}
            token = await administrator(session, server.url, headers)
            peer = Peer(session, server.url, space, token, compact)
            await peer.open()
            yield peer
    finally:
        await server.stop()


@asynccontextmanager
async def real(plane: ControlPlane, space: str) -> AsyncIterator[Peer]:
    """The real API server, as an administrator with a token."""
    context = ssl.create_default_context(cafile=str(plane.folder / "pki" / "ca.crt"))

    async def compact() -> None:
        await compacted(plane)

    owner = trusted(plane)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=owner)) as session:
        token = await administrator(session, plane.server, {})
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        peer = Peer(session, plane.server, space, token, compact)
        await peer.open()
        yield peer


async def administrator(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> str:
    """The token of a ServiceAccount with all rights, made by someone who has them.

    Who has a certificate can't be anyone else on that connection, and so both sides are asked by the same account.
    """
    made = (
        ("/api/v1/namespaces/kube-system/serviceaccounts", {"metadata": {"name": "asker"}}),
        (f"{CLUSTER_RBAC}/clusterrolebindings", ASKER),
    )
    for path, body in made:
        async with session.post(url + path, json=body, headers=headers) as answer:
            assert answer.status in (201, 409), await answer.text()
    path = "/api/v1/namespaces/kube-system/serviceaccounts/asker/token"
    async with session.post(url + path, json={"spec": {}}, headers=headers) as answer:
        token: str = (await answer.json())["status"]["token"]
        return token


ASKER = {
    "metadata": {"name": "asker"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": "asker", "namespace": "kube-system"}],
}


@asynccontextmanager
async def living(url: str, trust: ssl.SSLContext | None, token: str, space: str) -> AsyncIterator[Peer]:
    """A cluster with controllers and nodes."""
    connector = aiohttp.TCPConnector(ssl=trust) if trust else None
    async with aiohttp.ClientSession(connector=connector) as session:
        peer = Peer(session, url, space, token, lives=True)
        await peer.open()
        yield peer


def trusted(plane: ControlPlane) -> ssl.SSLContext:
    """TLS as the kubeconfig's user."""
    user = yaml.safe_load(plane.kubeconfig.read_text())["users"][0]["user"]
    context = ssl.create_default_context(cafile=str(plane.folder / "pki" / "ca.crt"))
    context.load_cert_chain(_file(user, "client-certificate", plane.folder), _file(user, "client-key", plane.folder))
    return context


def _file(user: dict[str, str], field: str, folder: Path) -> str:
    if f"{field}-data" not in user:
        return user[field]
    path = folder / f"{field}.pem"
    path.write_bytes(base64.b64decode(user[f"{field}-data"]))
    return str(path)


async def compacted(plane: ControlPlane) -> None:
    """Compact the real cluster's etcd up to now, as the API server does every five minutes, by etcd's own HTTP."""
    pki = plane.folder / "pki"
    context = ssl.create_default_context(cafile=str(pki / "etcd-ca.crt"))
    context.load_cert_chain(pki / "apiserver-etcd-client.crt", pki / "apiserver-etcd-client.key")
    url = _etcd(plane.folder)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        async with session.post(f"{url}/v3/kv/range", json={"key": "AA=="}) as answer:
            revision = (await answer.json())["header"]["revision"]
        async with session.post(f"{url}/v3/kv/compaction", json={"revision": revision, "physical": True}) as answer:
            assert answer.status == 200, await answer.text()


def _etcd(folder: Path) -> str:
    """Where the plane's etcd listens: its own command line says so."""
    mine = f"--data-dir={folder}/etcd"
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # the process has ended
            continue
        if mine in words:
            return next(w.partition("=")[2] for w in words if w.startswith("--listen-client-urls="))
    raise LookupError(f"no etcd runs in {folder}")
