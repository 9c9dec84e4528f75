"""Exec credential plugins: a program that prints a token or a client certificate (client.authentication.k8s.io).

Protocol: kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins. The
program gets no terminal; what it prints on stdout is a secret and never becomes part of a message.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from kubemend.cluster.auth import Credential, Turn, bearer
from kubemend.cluster.decoding import NOT_JSON
from kubemend.cluster.errors import ConfigError, LoginFailed, excerpt
from kubemend.cluster.kubeconfig import ClusterEntry, ExecEntry

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
EXTENSION = "client.authentication.k8s.io/exec"
"""The cluster extension whose value is handed to the plugin as `spec.cluster.config`."""
LIMIT_S = 60.0
"""Seconds a plugin may take: one that waits for a browser login needs tens of them."""
EARLY = timedelta(seconds=10)
"""A credential counts as expired a little early, so that it doesn't expire on its way."""


class ExecStatus(Struct, frozen=True, rename="camel"):
    """`ExecCredential.status`."""

    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class ExecCredential(Struct, frozen=True, rename="camel"):
    """What a plugin prints."""

    api_version: str
    kind: str
    status: ExecStatus | None = None


class Plugin:
    """Credentials from a plugin, kept until they expire or are refused."""

    def __init__(
        self, entry: ExecEntry, cluster: ClusterEntry, certificate: bytes | None = None, key: bytes | None = None
    ) -> None:
        if entry.api_version not in VERSIONS:
            raise ConfigError(
                f"exec plugin {entry.command!r} speaks {entry.api_version or 'no version'}",
                code="exec-version-unknown",
                hint=f"update the plugin to one that speaks {VERSIONS[0]}",
            )
        if entry.interactive_mode == "Always":
            raise ConfigError(
                f"exec plugin {entry.command!r} needs a terminal", code="exec-interactive", hint=entry.install_hint
            )
        self._entry, self._cluster = entry, cluster
        self._certificate, self._key = certificate, key
        self._kept: Credential | None = None
        self._until: datetime | None = None
        self._turn = Turn()

    async def current(self) -> Credential:
        """The kept credential, or a new one from the plugin."""
        async with self._turn.take():
            kept = self._kept
            if kept is None or (self._until is not None and datetime.now(UTC) >= self._until - EARLY):
                status = _parse(await self._run(), self._entry)
                kept, self._until = self._credential(status), status.expiration_timestamp
                self._kept = kept
            return kept

    async def refresh(self, refused: Credential) -> bool:
        """Forget the refused credential; the plugin may give another."""
        if self._kept is refused:
            self._kept = None
        return True

    def _credential(self, status: ExecStatus) -> Credential:
        own = bool(status.client_certificate_data)
        return Credential(
            bearer(status.token) if status.token else {},
            status.client_certificate_data.encode() if own else self._certificate,
            status.client_key_data.encode() if own else self._key,
        )

    async def _run(self) -> bytes:
        entry = self._entry
        environment = {**os.environ, **{e.name: e.value for e in entry.env}}
        environment["KUBERNETES_EXEC_INFO"] = msgspec.json.encode(self._info()).decode()
        try:
            process = await asyncio.create_subprocess_exec(
                entry.command,
                *entry.args,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            hint = entry.install_hint.strip() or "install it, or put it on PATH"
            raise LoginFailed(
                f"exec plugin {entry.command!r} cannot be run: {error.strerror}", code="exec-missing", hint=hint
            ) from error
        return await _output(process, entry.command)

    def _info(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"interactive": False}
        if self._entry.provide_cluster_info:
            spec["cluster"] = _described(self._cluster)
        return {"apiVersion": self._entry.api_version, "kind": "ExecCredential", "spec": spec}


def _described(cluster: ClusterEntry) -> dict[str, Any]:
    given = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "certificate-authority-data": cluster.certificate_authority_data,
        "proxy-url": cluster.proxy_url,
        "disable-compression": cluster.disable_compression,
        "config": next((e.extension for e in cluster.extensions if e.name == EXTENSION), None),
    }
    return {name: value for name, value in given.items() if value}


async def _output(process: asyncio.subprocess.Process, command: str) -> bytes:
    try:
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
    except TimeoutError as error:
        raise LoginFailed(f"exec plugin {command!r} took longer than {LIMIT_S:.0f} s", code="exec-slow") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise LoginFailed(f"exec plugin {command!r} failed ({process.returncode}): {excerpt(err)}", code="exec-failed")
    return out


def _parse(out: bytes, entry: ExecEntry) -> ExecStatus:
    try:
        printed = msgspec.json.decode(out, type=ExecCredential)
    except NOT_JSON as error:
        raise LoginFailed(
            f"exec plugin {entry.command!r} printed no ExecCredential: {error}", code="exec-garbled"
        ) from error
    if printed.api_version != entry.api_version:
        raise LoginFailed(
            f"exec plugin {entry.command!r} answered in {excerpt(printed.api_version)}, not {entry.api_version}",
            code="exec-garbled",
        )
    status = printed.status
    if status is None or not (status.token or (status.client_certificate_data and status.client_key_data)):
        raise LoginFailed(f"exec plugin {entry.command!r} gave no token and no certificate", code="exec-garbled")
    return status
