"""Who is asking: bearer tokens, and impersonation by those who may."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from kubemend.kube.rbac import ACCOUNT, AUTHENTICATED, Ask
from kubemend.lab.apiserver.access import (
    ANONYMOUS,
    Rbac,
    Tokens,
    User,
    account_user,
)
from kubemend.lab.apiserver.status import ApiError, forbidden
from kubemend.lab.kinds import Kind


class Headers(Protocol):
    """HTTP headers, of which one may stand several times."""

    def get(self, key: str, default: str, /) -> str:
        """One value."""
        ...

    def getall(self, key: str, default: list[str], /) -> Sequence[str]:
        """All values."""
        ...


def identify(tokens: Tokens, rbac: Rbac, headers: Headers) -> User:
    """The user of a request. Raises `ApiError` (401 for a token nobody has, 403 for a forbidden impersonation)."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    user: User | None = ANONYMOUS
    if token and scheme.lower() == "bearer":
        user = tokens.user(token.strip())
    if user is None:
        raise ApiError("Unauthorized", "Unauthorized")
    wanted = headers.get("Impersonate-User", "")
    groups = headers.getall("Impersonate-Group", [])
    if not wanted and not groups:
        return user
    for asked in _needed(wanted, groups):
        if not rbac.decide(user, asked).allowed:
            where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
            why = f'User "{user.name}" cannot impersonate resource "{asked.resource}" in API group "" {where}'
            raise forbidden(Kind("", "", "", asked.resource), asked.name, why)
    return _impersonated(wanted, tuple(groups))


def _needed(wanted: str, groups: Sequence[str]) -> Iterator[Ask]:
    if wanted.startswith(ACCOUNT):
        namespace, _, name = wanted.removeprefix(ACCOUNT).partition(":")
        yield Ask("impersonate", resource="serviceaccounts", namespace=namespace, name=name)
    elif wanted:
        yield Ask("impersonate", resource="users", name=wanted)
    for group in groups:
        yield Ask("impersonate", resource="groups", name=group)


def _impersonated(wanted: str, groups: tuple[str, ...]) -> User:
    if wanted.startswith(ACCOUNT) and not groups:
        namespace, _, name = wanted.removeprefix(ACCOUNT).partition(":")
        return account_user(namespace, name)
    if wanted == ANONYMOUS.name:
        return ANONYMOUS
    return User(wanted, tuple(dict.fromkeys((*groups, AUTHENTICATED))))
