"""TLS with a real server: who trusts whom, names, and client certificates."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cluster_api import QUICK, connection, serving
from cluster_certificates import Pair, made, server_context

from kubemend.cluster import errors

CA = made("cluster-ca")
SERVER = made("api", by=CA, host="127.0.0.1")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def ask(folder: Path, url: str, user: dict[str, Any] | None = None, **cluster: Any) -> bytes:
    async with connection(folder, url, user, **cluster).open(QUICK) as transport:
        return await transport.get("/x")


async def test_the_clusters_own_ca_is_trusted(tmp_path: Path):
    async with serving(server_context(tmp_path, SERVER)) as api:
        api.on("/x", {})
        assert await ask(tmp_path, api.url, **{"certificate-authority-data": b64(CA.pem)}) == b"{}"
        (tmp_path / "ca.crt").write_bytes(CA.pem)
        assert await ask(tmp_path, api.url, **{"certificate-authority": "ca.crt"}) == b"{}"


@pytest.mark.parametrize("cluster", [{}, {"certificate-authority-data": b64(made("other").pem)}])
async def test_a_server_nobody_vouches_for_is_not_trusted_and_not_tried_again(tmp_path: Path, cluster: dict[str, Any]):
    async with serving(server_context(tmp_path, SERVER)) as api:
        api.on("/x", {})
        with pytest.raises(errors.Untrusted) as caught:
            await ask(tmp_path, api.url, **cluster)
        assert (caught.value.code, api.asked) == ("tls-untrusted", [])


async def test_verification_can_be_switched_off(tmp_path: Path):
    async with serving(server_context(tmp_path, SERVER)) as api:
        api.on("/x", {})
        assert await ask(tmp_path, api.url, **{"insecure-skip-tls-verify": True}) == b"{}"


async def test_the_name_in_the_certificate_can_be_said(tmp_path: Path):
    named = made("api", by=CA, host="kubernetes.default")
    async with serving(server_context(tmp_path, named)) as api:
        api.on("/x", {})
        with pytest.raises(errors.Untrusted):
            await ask(tmp_path, api.url, **{"certificate-authority-data": b64(CA.pem)})
        good = {"certificate-authority-data": b64(CA.pem), "tls-server-name": "kubernetes.default"}
        assert await ask(tmp_path, api.url, **good) == b"{}"


def login(pair: Pair) -> dict[str, str]:
    return {"client-certificate-data": b64(pair.pem), "client-key-data": b64(pair.key_pem)}


async def test_a_client_certificate_is_shown(tmp_path: Path):
    ca = {"certificate-authority-data": b64(CA.pem)}
    async with serving(server_context(tmp_path, SERVER, clients=CA)) as api:
        api.on("/x", {})
        assert await ask(tmp_path, api.url, login(made("me", by=CA)), **ca) == b"{}"
        with pytest.raises(errors.Unreachable):
            await ask(tmp_path, api.url, None, **ca)


async def test_a_key_of_another_certificate_is_refused(tmp_path: Path):
    mixed = {"client-certificate-data": b64(made("a", by=CA).pem), "client-key-data": b64(made("b", by=CA).key_pem)}
    with pytest.raises(errors.ConfigError, match="don't go together"):
        await ask(tmp_path, "https://127.0.0.1:1", mixed)


async def test_a_ca_that_is_none_is_refused(tmp_path: Path):
    with pytest.raises(errors.ConfigError, match="no PEM certificate"):
        await ask(tmp_path, "https://127.0.0.1:1", **{"certificate-authority-data": b64(b"hello")})


async def test_a_plugin_may_give_a_certificate(tmp_path: Path):
    pair = made("plugin", by=CA)
    printed = tmp_path / "credential.json"
    status = {"clientCertificateData": pair.pem.decode(), "clientKeyData": pair.key_pem.decode()}
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    import json

    printed.write_text(json.dumps(credential))
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "cat", "args": [str(printed)]}}
    async with serving(server_context(tmp_path, SERVER, clients=CA)) as api:
        api.on("/x", {})
        assert await ask(tmp_path, api.url, user, **{"certificate-authority-data": b64(CA.pem)}) == b"{}"
