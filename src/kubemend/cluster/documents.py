"""Kubernetes objects in JSON and YAML text, whatever wraps them: one object, many documents, `List`, `PodList`.

Kinds without a Struct (Secrets above all) are passed over and never kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from kubemend.cluster import decoding
from kubemend.cluster.decoding import NOT_JSON, named
from kubemend.cluster.errors import NotASnapshot
from kubemend.cluster.kubeconfig import Loader
from kubemend.cluster.members import Member
from kubemend.model.objects import Obj, kind_of
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Unread

MAX_NODES = 5_000_000
"""Values in one YAML file after its aliases are written out: a small file may stand for billions."""


class _Yaml(Loader):  # type: ignore[misc]
    """YAML without times: Kubernetes reads `2024-01-01` as text."""


_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in Loader.yaml_implicit_resolvers.items()
}


@dataclass
class Found:
    """What was found so far. kinds: those there was a list or an object of. known: how many documents of the API."""

    objects: list[Obj] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    kinds: set[type[Obj]] = field(default_factory=set)
    known: int = 0

    def take(self, document: Any) -> None:
        """Keep what a document holds, if it is one of the API and of a kind we have a Struct for."""
        if not isinstance(document, dict):
            return
        kind, api_version = document.get("kind"), document.get("apiVersion")
        if not isinstance(kind, str) or not isinstance(api_version, str):
            return
        self.known += 1
        items = document.get("items")
        if kind == "List":
            for item in items or ():
                self.take(item)
        elif kind.endswith("List") and "items" in document:
            self._keep(kind.removesuffix("List"), api_version, items or ())
        else:
            self._keep(kind, api_version, [document])

    def take_list(self, kind: type[Obj], body: bytes, where: str) -> None:
        """Keep the items of a JSON list whose kind is known; the quick way."""
        page = decoding.page(kind, body, where=where)
        self.known += 1
        self.kinds.add(kind)
        self.objects += page.items
        self.unread += page.unread

    def _keep(self, kind: str, api_version: str, raw: Iterable[Any]) -> None:
        struct, version = _struct_of(kind, api_version)
        if struct is None:
            return
        if struct.version != version:
            self.unread += (Unread(kind, f"{api_version} is a version we don't read", named(one)[0]) for one in raw)
            return
        self.kinds.add(struct)
        items, unread = decoding.objects(struct, raw)
        self.objects += items
        self.unread += unread


def _struct_of(kind: str, api_version: str) -> tuple[type[Obj] | None, str]:
    """The Struct for a kind of a group, if we have one, and the version asked for."""
    group, _, version = api_version.rpartition("/")
    return kind_of(Ref(kind, "", "", group)), version


class _Head(Struct, frozen=True, rename="camel"):
    kind: str = ""
    api_version: str = ""


def read(member: Member, found: Found) -> None:
    """Keep the objects in one file. NotASnapshot when it is neither JSON nor YAML, Garbled when a list is none."""
    text = member.data.lstrip()
    if not text.startswith((b"{", b"[")):
        for document in yaml_documents(text, member.name):
            found.take(document)
        return
    with decoding.unhurried(len(text)):
        try:
            _read_json(text, member.name, found)
        except NOT_JSON as error:
            raise NotASnapshot(f"is not JSON: {error}", where=member.name) from error


def _read_json(text: bytes, where: str, found: Found) -> None:
    try:
        head = msgspec.json.decode(text, type=_Head)
    except msgspec.ValidationError:
        head = _Head()
    struct, version = _struct_of(head.kind.removesuffix("List"), head.api_version)
    if head.kind.endswith("List") and struct is not None and struct.version == version:
        found.take_list(struct, text, where)
    else:
        found.take(msgspec.json.decode(text))


def yaml_documents(text: bytes, where: str) -> Iterator[Any]:
    """The documents of a YAML text as plain data."""
    try:
        for document in yaml.load_all(text, Loader=_Yaml):
            _count(document, where)
            yield document
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise NotASnapshot(f"is not YAML{f' at line {mark.line + 1}' if mark else ''}", where=where) from error


def _count(document: Any, where: str) -> None:
    open_values, count = [document], 0
    while open_values:
        value = open_values.pop()
        count += 1
        if count > MAX_NODES:
            raise NotASnapshot("stands for too many values", where=where, code="snapshot-too-large")
        if isinstance(value, dict):
            open_values.extend(value.values())
        elif isinstance(value, list):
            open_values.extend(value)
