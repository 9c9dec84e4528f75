"""The same conversation with the practice API server and with a real one: the answers must be the same.

What can't be the same is taken out on both sides: identities, versions, times, chosen addresses, and what the real
one quotes of its own insides. Managed fields are left out: ours don't mark the maps that fields came in.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import yaml
from lab_api_client import serving
from lab_api_conversations import CONVERSATIONS, Step
from testbed.plane import ControlPlane

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
RECORD = re.compile(r"in record \(\d+\)")
MOUNT = re.compile(r"kube-api-access-\w{5}")
GO = re.compile(r"\n@@.*| in scheme \"[^\"]*\"", re.DOTALL)
CHOSEN = frozenset({"clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort"})
IGNORED = frozenset({"resourceVersion", "uid", "managedFields", "lastPhaseTransitionTime"})


def told(value: Any) -> Any:
    """An answer without what two servers can't agree on."""
    if isinstance(value, dict):
        return {k: "chosen" if k in CHOSEN and v != "None" else told(v) for k, v in value.items() if k not in IGNORED}
    if isinstance(value, list):
        return [told(v) for v in value]
    if isinstance(value, str):
        text = MOUNT.sub("kube-api-access-x", TIME.sub("TIME", UUID.sub("UID", RECORD.sub("in record", value))))
        return GO.sub("", text)
    return value


class Peer:
    """A server to talk to."""

    def __init__(self, session: aiohttp.ClientSession, url: str, space: str) -> None:
        self._session, self._url, self._space = session, url, space

    async def open(self) -> None:
        for path, name in (("/api/v1/namespaces", self._space), ("serviceaccounts", "default")):
            code, body = await self.say(("POST", path, {"metadata": {"name": name}}, "application/json"))
            assert code == 201, body

    async def say(self, step: Step) -> tuple[int, Any]:
        method, path, body, kind = step
        path = path.format(ns=self._space) if path.startswith("/") else f"/api/v1/namespaces/{self._space}/{path}"
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": kind} if data is not None else {}
        async with self._session.request(method, self._url + path, data=data, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text


@pytest.fixture(scope="module")
def plane(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real API server with no controllers, so that nothing but the API changes an object."""
    with ControlPlane(programs, tmp_path_factory.mktemp("differential"), controllers=False) as plane:
        yield plane


def trusted(kubeconfig: Path, folder: Path) -> ssl.SSLContext:
    """TLS as the kubeconfig's user."""
    found = yaml.safe_load(kubeconfig.read_text())
    cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]

    def kept(holder: dict[str, str], field: str) -> str:
        if f"{field}-data" not in holder:
            return holder[field]
        path = folder / field
        path.write_bytes(base64.b64decode(holder[f"{field}-data"]))
        return str(path)

    context = ssl.create_default_context(cafile=kept(cluster, "certificate-authority"))
    context.load_cert_chain(kept(user, "client-certificate"), kept(user, "client-key"))
    return context


@asynccontextmanager
async def both(plane: ControlPlane, space: str, folder: Path) -> AsyncIterator[tuple[Peer, Peer]]:
    context = trusted(plane.kubeconfig, folder)
    async with serving() as api, aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as real:
        token = {"Authorization": f"Bearer {api.server.admin_token}"}
        async with aiohttp.ClientSession(headers=token) as practice:
            pair = Peer(practice, api.server.url, space), Peer(real, plane.server, space)
            for peer in pair:
                await peer.open()
            yield pair


@pytest.mark.parametrize("subject", CONVERSATIONS)
async def test_both_answer_alike(plane: ControlPlane, tmp_path: Path, subject: str) -> None:
    different = []
    async with both(plane, subject, tmp_path) as (practice, real):
        for step in CONVERSATIONS[subject]:
            (ours, mine), (theirs, other) = await practice.say(step), await real.say(step)
            if (ours, told(mine)) != (theirs, told(other)):
                different.append(
                    f"{step[0]} {step[1]}\n  practice {ours} {told(mine)}\n  real     {theirs} {told(other)}"
                )
    assert not different, "\n".join(different)
