"""Paths to power: how somebody could become somebody else, and at last own the cluster.

Moves: a pod or its shell (as the pod's ServiceAccount), a token, a token Secret, impersonation, a node's kubelet. What
a path rests on beyond RBAC (admission, Pod Security, a pod that is there to be entered) is not judged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from kubemend.kube.powers import Held, Want, owns, powers
from kubemend.kube.rbac import ACCOUNT, AUTHENTICATED, Binding, Grant, Rbac, User, account


@dataclass(frozen=True)
class Move:
    """How a power makes its holder a ServiceAccount. everywhere: of any namespace, wherever the power holds.

    named: whether the names that a rule is limited to are those of accounts.
    """

    how: str
    everywhere: bool = False
    named: bool = False


MOVES = {
    "create-pods": Move("runs a pod as"),
    "exec": Move("enters a pod of"),
    "token-request": Move("makes a token of", named=True),
    "read-secrets": Move("makes a token Secret, and reads it, of"),
    "node-proxy": Move("enters through its kubelet a pod of", everywhere=True),
}


@dataclass(frozen=True)
class Step:
    """One move of a path: who becomes whom, and by which grant."""

    who: str
    by: Grant
    how: str
    becomes: str


@dataclass(frozen=True)
class Path:
    """How somebody could come to own the cluster. steps: none when it owns it already; owner: the grant at its end."""

    start: str
    steps: tuple[Step, ...]
    owner: Grant


class Escalations:
    """The moves that are open in one cluster. accounts: (namespace, name) of the ServiceAccounts that there are."""

    def __init__(self, rbac: Rbac, accounts: Iterable[tuple[str, str]]) -> None:
        self._rbac = rbac
        self._accounts: dict[str, list[str]] = {}
        for namespace, name in accounts:
            self._accounts.setdefault(namespace, []).append(name)
        self._known: dict[User, tuple[Grant, ...]] = {}
        self._harmless: set[User] = set()

    def grants(self, user: User) -> tuple[Grant, ...]:
        """All grants of somebody, with those of everybody who is logged in."""
        if user not in self._known:
            self._known[user] = tuple(self._rbac.everywhere(logged_in(user)))
        return self._known[user]

    def path(self, start: User, title: str) -> Path | None:
        """The shortest way to own the cluster; None when these moves lead nowhere."""
        seen = {start}
        waiting = deque([] if start in self._harmless else [(start, title, tuple[Step, ...]())])
        while waiting:
            user, who, steps = waiting.popleft()
            if (end := owns(self.grants(user))) is not None:
                return Path(title, steps, end)
            for after, becomes, grant, how in self._moves(user):
                if after not in seen and after not in self._harmless:
                    seen.add(after)
                    waiting.append((after, becomes, (*steps, Step(who, grant, how, becomes))))
        # From none of them does a way lead on, whoever comes to them next.
        self._harmless |= seen
        return None

    def _moves(self, user: User) -> Iterator[tuple[User, str, Grant, str]]:
        grants = self.grants(user)
        for held in powers(grants):
            if held.power.code == "impersonate":
                yield from self._impersonated(held.grant)
            elif (move := MOVES.get(held.power.code)) is not None and _useful(held, move, grants):
                for namespace, name in self._within("" if move.everywhere else held.grant.namespace):
                    if not held.names or name in held.names:
                        yield account(namespace, name), f"ServiceAccount {namespace}/{name}", held.grant, move.how

    def _within(self, namespace: str) -> Iterator[tuple[str, str]]:
        for place in [namespace] if namespace else self._accounts:
            yield from ((place, name) for name in self._accounts.get(place, ()))

    def _impersonated(self, grant: Grant) -> Iterator[tuple[User, str, Grant, str]]:
        rule, how = grant.rule, "impersonates"
        if Want(("impersonate",), ("serviceaccounts",)).given(rule):
            for namespace, name in self._within(grant.namespace):
                if not rule.resource_names or name in rule.resource_names:
                    yield account(namespace, name), f"ServiceAccount {namespace}/{name}", grant, how
        if Want(("impersonate",), ("users",)).given(rule) and not grant.namespace:
            for name in rule.resource_names or self._users:
                yield named(name), f"User {name}", grant, how
        if Want(("impersonate",), ("groups",)).given(rule) and not grant.namespace:
            for name in rule.resource_names:
                yield User("", (name,)), f"Group {name}", grant, how

    @cached_property
    def _users(self) -> tuple[str, ...]:
        """The users that any binding names."""
        bindings: tuple[Binding, ...] = (*self._rbac.cluster_role_bindings, *self._rbac.role_bindings)
        return tuple(sorted({s.name for b in bindings for s in b.subjects or () if s.kind == "User"}))


def _useful(held: Held, move: Move, grants: Iterable[Grant]) -> bool:
    """Whether a power makes the move: not for some objects only, unless their names are those of accounts."""
    if held.names and not move.named:
        return False
    if held.power.code != "read-secrets":
        return True
    # Secrets hold no tokens of themselves any more: who only reads them finds what others put there.
    places = {"", held.grant.namespace}
    return any(g.namespace in places and Want(("create",), ("secrets",)).given(g.rule) for g in grants)


def logged_in(user: User) -> User:
    """A user with the group that everybody has who is known to the server."""
    return user if AUTHENTICATED in user.groups else User(user.name, (*user.groups, AUTHENTICATED))


def named(name: str) -> User:
    """The user of a name; that of a ServiceAccount has its groups."""
    namespace, _, account_name = name.removeprefix(ACCOUNT).partition(":")
    return account(namespace, account_name) if name.startswith(ACCOUNT) else User(name)
