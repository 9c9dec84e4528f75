"""Credentials of one user, kept fresh: static ones, token files that rotate, and the choice between all kinds.

Order, as client-go has it: a token (file) wins over a password, a password over an exec plugin, that over an
auth-provider. A client certificate goes along with any of them.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from kubemend.cluster.errors import ConfigError, LoginFailed
from kubemend.cluster.kubeconfig import Selected, UserEntry, data_or_file

TOKEN_FILE_S = 60.0
"""Seconds until a token file is read again; client-go's figure for bound service-account tokens."""


@dataclass(frozen=True)
class Credential:
    """What to show the API server now: headers, and a client certificate with its key (PEM)."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)


class Credentials(Protocol):
    """A source of credentials."""

    async def current(self) -> Credential:
        """The credential to use now. LoginFailed when none can be had."""
        ...

    async def refresh(self, refused: Credential) -> bool:
        """The server would not have this one (401): forget it. True if `current` may now give another.

        Many requests may be refused at once; only the first of them makes the source work.
        """
        ...


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


class Turn:
    """One login at a time. Who waited for one that failed gets its failure, and doesn't try again."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._failed: tuple[float, LoginFailed] | None = None

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for the turn."""
        came = time.monotonic()
        async with self._lock:
            if self._failed is not None and self._failed[0] >= came:
                raise self._failed[1]
            try:
                yield
            except LoginFailed as error:
                self._failed = (time.monotonic(), error)
                raise


class Static:
    """A credential that never changes, or none at all."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    async def current(self) -> Credential:
        """Always the same."""
        return self._credential

    async def refresh(self, refused: Credential) -> bool:
        """There is nothing newer."""
        return False


class TokenFile:
    """A token in a file that somebody else renews: a mounted service-account token, say."""

    def __init__(self, path: Path, certificate: bytes | None = None, key: bytes | None = None) -> None:
        self._path, self._certificate, self._key = path, certificate, key
        self._token, self._read_at = "", float("-inf")

    async def current(self) -> Credential:
        """The token as last read, at most a minute ago."""
        if time.monotonic() - self._read_at >= TOKEN_FILE_S:
            self._read()
        return Credential(bearer(self._token), self._certificate, self._key)

    async def refresh(self, refused: Credential) -> bool:
        """Read the file now; True if it holds another token."""
        self._read()
        return bearer(self._token) != refused.headers

    def _read(self) -> None:
        try:
            token = self._path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise LoginFailed("the token file cannot be read", where=str(self._path)) from error
        if not token:
            raise LoginFailed("the token file is empty", where=str(self._path))
        self._token, self._read_at = token, time.monotonic()


def certificate_of(user: UserEntry) -> tuple[bytes | None, bytes | None]:
    """The client certificate and key of a user (PEM), or (None, None). ConfigError when only one of them is there."""
    certificate = data_or_file(user.client_certificate_data, user.client_certificate, "the client certificate")
    key = data_or_file(user.client_key_data, user.client_key, "the client key")
    if (certificate is None) != (key is None):
        raise ConfigError("a client certificate needs a client key, and the reverse")
    return certificate, key


def credentials_for(selected: Selected) -> Credentials:
    """The credentials of a context's user. ConfigError when the kubeconfig asks for what we don't know."""
    user = selected.user
    certificate, key = certificate_of(user)
    if user.token_file:
        return TokenFile(Path(user.token_file), certificate, key)
    if user.token:
        return Static(Credential(bearer(user.token), certificate, key))
    if user.username:
        pair = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
        return Static(Credential({"Authorization": f"Basic {pair}"}, certificate, key))
    if user.exec is not None:
        from kubemend.cluster.plugin import Plugin  # noqa: PLC0415 - imports us

        return Plugin(user.exec, selected.cluster, certificate, key)
    if user.auth_provider is not None:
        return _from_provider(selected)
    return Static(Credential({}, certificate, key))


def _from_provider(selected: Selected) -> Credentials:
    provider = selected.user.auth_provider
    if provider is None or provider.name != "oidc":
        raise ConfigError(
            f"auth-provider {provider.name if provider else ''!r} is no longer supported by Kubernetes",
            code="auth-provider-unknown",
            hint="use the provider's exec plugin (kubelogin, gke-gcloud-auth-plugin, aws eks get-token)",
        )
    from kubemend.cluster.oidc import Oidc  # noqa: PLC0415 - brings the HTTP library

    return Oidc(provider.config, selected.path)
