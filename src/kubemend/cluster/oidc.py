"""The `oidc` auth-provider of kubeconfig: an ID token, renewed with its refresh token when it has expired.

kubectl behaves the same (kubernetes.io/docs/reference/access-authn-authz/authentication/#using-kubectl). A
provider that replaces the refresh token at each use would lock kubectl out if the new one were not written back, so
the tokens are replaced in the kubeconfig file, where they stand, and nothing else of it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from kubemend.cluster.auth import Credential, Turn, bearer
from kubemend.cluster.decoding import NOT_JSON
from kubemend.cluster.errors import ConfigError, LoginFailed, excerpt
from kubemend.cluster.kubeconfig import data_or_file

log = logging.getLogger(__name__)

EARLY_S = 10.0
LIMIT_S = 30.0
AGAIN = "log in again with the tool that made this kubeconfig"


class Claims(Struct, frozen=True):
    """The one claim of an ID token that matters here."""

    exp: float = 0.0


class Provider(Struct, frozen=True):
    """The discovery document (OpenID Connect Discovery 1.0, section 4)."""

    token_endpoint: str


class Tokens(Struct, frozen=True):
    """A token answer (RFC 6749, section 5.1)."""

    id_token: str = ""
    refresh_token: str = ""


class Oidc:
    """Credentials from an OpenID Connect provider."""

    def __init__(self, config: Mapping[str, str], path: Path | None) -> None:
        self._config, self._path = config, path
        self._id_token, self._refresh_token = config.get("id-token", ""), config.get("refresh-token", "")
        self._turn = Turn()

    async def current(self) -> Credential:
        """The ID token, renewed first if it has expired."""
        async with self._turn.take():
            if not self._id_token or _expiry(self._id_token) <= time.time() + EARLY_S:
                await self._renew()
            return Credential(bearer(self._id_token))

    async def refresh(self, refused: Credential) -> bool:
        """Forget the refused ID token, if another can be had."""
        if bearer(self._id_token) == refused.headers and self._refresh_token:
            self._id_token = ""
        return bearer(self._id_token) != refused.headers

    async def _renew(self) -> None:
        issuer = self._config.get("idp-issuer-url", "").rstrip("/")
        if not self._refresh_token or not issuer:
            raise LoginFailed("the ID token has expired and cannot be renewed", code="login-expired", hint=AGAIN)
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token,
            "client_id": self._config.get("client-id", ""),
        }
        if secret := self._config.get("client-secret", ""):
            form["client_secret"] = secret
        timeout = aiohttp.ClientTimeout(total=LIMIT_S)
        connector = aiohttp.TCPConnector(ssl=self._tls(issuer))
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
                async with session.get(f"{issuer}/.well-known/openid-configuration") as answer:
                    provider = await _read(answer, Provider)
                async with session.post(provider.token_endpoint, data=form, allow_redirects=False) as answer:
                    tokens = await _read(answer, Tokens)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise LoginFailed(f"the login provider cannot be reached: {type(error).__name__}", where=issuer) from error
        if not tokens.id_token:
            raise LoginFailed("the login provider gave no ID token", code="login-expired", where=issuer, hint=AGAIN)
        await self._keep(tokens)

    def _tls(self, issuer: str) -> ssl.SSLContext:
        authority = data_or_file(
            self._config.get("idp-certificate-authority-data", ""),
            self._config.get("idp-certificate-authority", ""),
            "the login provider's CA",
        )
        try:
            return ssl.create_default_context(cadata=authority.decode() if authority else None)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError("the login provider's CA is no PEM certificate", where=issuer) from error

    async def _keep(self, tokens: Tokens) -> None:
        replaced = {self._config.get("id-token", ""): tokens.id_token}
        self._id_token = tokens.id_token
        if tokens.refresh_token and tokens.refresh_token != self._refresh_token:
            replaced[self._refresh_token] = tokens.refresh_token
            self._config = {**self._config, "id-token": tokens.id_token, "refresh-token": tokens.refresh_token}
            self._refresh_token = tokens.refresh_token
            await asyncio.to_thread(self._write_back, replaced)

    def _write_back(self, replaced: Mapping[str, str]) -> None:
        if self._path is None:
            return
        try:
            _replace_in(self._path, replaced)
        except OSError as error:
            log.warning("the new refresh token could not be kept in %s: %s", self._path, error.strerror)


def _replace_in(path: Path, replaced: Mapping[str, str]) -> None:
    """Replace strings in a file, as one step and with its mode."""
    path = path.resolve()
    text = path.read_text()
    for old, new in replaced.items():
        text = text.replace(old, new) if old else text
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".kubemend-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(name).chmod(path.stat().st_mode & 0o777)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


async def _read(answer: aiohttp.ClientResponse, wanted: type[Any]) -> Any:
    body = await answer.read()
    if answer.status != 200:
        raise LoginFailed(
            f"the login provider answered HTTP {answer.status}: {excerpt(body)}",
            code="login-expired" if answer.status in (400, 401) else None,
            where=str(answer.url.with_query(None)),
            hint=AGAIN,
        )
    try:
        return msgspec.json.decode(body, type=wanted)
    except NOT_JSON as error:
        raise LoginFailed("the login provider's answer cannot be read", where=str(answer.url)) from error


def _expiry(token: str) -> float:
    """`exp` of a JWT in Unix seconds; 0 when it can't be read. The API server checks signatures, not we."""
    parts = token.split(".")
    if len(parts) != 3:
        return 0.0
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(claims, type=Claims).exp
    except (binascii.Error, *NOT_JSON):
        return 0.0
