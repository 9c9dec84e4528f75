"""What a command speaks of: kinds, names and namespace, each held to the API server's own rules before it is used."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubemend.cluster.resource import Resource
from kubemend.model.errors import InvalidInput
from kubemend.model.ref import Ref
from kubemend.tools.look import Look
from kubemend.tools.shell.verdict import Asked

KIND = re.compile(r"[A-Za-z][-A-Za-z0-9.]{0,252}")
NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]{0,251}[a-z0-9])?")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
ALL = "pods,services,daemonsets,deployments,replicasets,statefulsets,horizontalpodautoscalers,cronjobs,jobs"
"""What kubectl's `all` stands for (the category of that name)."""


@dataclass(frozen=True)
class Target:
    """One kind, in one namespace or in all (None), and the names meant; none means every object."""

    resource: Resource
    namespace: str | None
    names: tuple[str, ...] = ()

    def ref(self, name: str) -> Ref:
        """One object. Namespaced kinds have a namespace here: `-A` with a name is refused before."""
        return Ref(self.resource.kind, self.namespace or "", name, self.resource.group)


async def targets(cluster: Look, asked: Asked, default: str = "") -> list[Target]:
    """The targets of `kind[,kind] [name…]` or `kind/name…`. default: the kind of a lone name, as `logs` takes it."""
    if not asked.words:
        raise InvalidInput(f"kubectl {asked.verb} what?", code="usage", hint="name a kind, such as pods")
    scope = namespace(cluster, asked)
    pairs = _pairs(asked, default)
    found: dict[str, list[str]] = {}
    for kind, name in pairs:
        found.setdefault(kind, []).extend([name] if name else [])
    made = []
    for kind, names in found.items():
        resource = await cluster.reader.resource(_checked(KIND, kind, "a kind"))
        place = scope if resource.namespaced else None
        if names and resource.namespaced and place is None:
            raise InvalidInput("an object with a name is in one namespace", code="usage", hint="leave out -A")
        made.append(Target(resource, place, tuple(names)))
    return made


def namespace(cluster: Look, asked: Asked) -> str | None:
    """The namespace meant; None for all of them."""
    if asked.on("all-namespaces"):
        return None
    given = asked.flag("namespace")
    return _checked(NAMESPACE, given, "a namespace") if given else cluster.place.namespace


def name(word: str) -> str:
    """The name of an object. InvalidInput for anything that can't be one."""
    return _checked(NAME, word, "a name")


def _pairs(asked: Asked, default: str) -> list[tuple[str, str]]:
    words = asked.words
    if any("/" in w for w in words):
        split = [w.split("/") for w in words]
        if any(len(s) != 2 for s in split):
            raise InvalidInput("kinds with names behind a / and without one can't be mixed", code="usage")
        return [(kind, name(word)) for kind, word in split]
    if default:
        return [(default, name(words[0]))]
    kinds = [k for k in words[0].replace("all", ALL).split(",") if k] if words[0] == "all" else words[0].split(",")
    names = [name(w) for w in words[1:]]
    return [(k, n) for k in kinds for n in (names or [""])]


def _checked(form: re.Pattern[str], text: str, what: str) -> str:
    if not form.fullmatch(text):
        raise InvalidInput(f"{text[:60]!r} can't be {what}", code="invalid-arguments")
    return text
