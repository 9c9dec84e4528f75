"""Worlds on disk: multi-document YAML of objects with their status, read into the Snapshot a rule sees.

A file may begin with a document `kind: Expect`: what the test expects, and how the world was read. It may hold
`taken_at` (RFC 3339; NOW below when left out), `unread` (kinds that were asked for and could not be had) and
`not_asked` (kinds that were never asked for). Every other known kind counts as read. All other keys of it are the
test's own.

So that a case shows only what matters, an object without a uid gets one made from its kind and name, and an owner
reference (or an event's `involvedObject`) without a `uid` gets that of the object it names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from kubemend.model.objects import KINDS, Obj
from kubemend.model.objects.config import decode_withheld
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot, Unread

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""When a world was read, if its file doesn't say."""

Raw = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a timestamp stays the text it is."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class World:
    """A snapshot, the raw objects it was decoded from, and what the file says to expect."""

    snapshot: Snapshot
    raw: dict[Ref, Raw]
    expect: Raw


def load(path: Path | str) -> World:
    """The world in a file."""
    return world(Path(path).read_text(encoding="utf-8"))


def world(text: str) -> World:
    """The world in multi-document YAML text."""
    documents = [d for d in yaml.load_all(text, Loader=_Loader) if d]
    expect = next((d for d in documents if d["kind"] == "Expect"), {})
    raw = [_complete(d) for d in documents if d is not expect]
    objects = [decode(d) for d in raw]
    snapshot = Snapshot.of(
        objects,
        taken_at=datetime.fromisoformat(expect["taken_at"]) if "taken_at" in expect else NOW,
        kinds=KINDS.values(),
        unread=[Unread(k, "forbidden") for k in expect.get("unread", ())],
    )
    absent = {KINDS[k] for k in (*expect.get("not_asked", ()), *expect.get("unread", ()))}
    kept = {kind: held for kind, held in snapshot.objects.items() if kind not in absent}
    return World(replace(snapshot, objects=kept), {o.ref: d for o, d in zip(objects, raw, strict=True)}, expect)


def decode(raw: Raw) -> Obj:
    """One raw object as the Struct of its kind."""
    return msgspec.convert(raw, type=KINDS[raw["kind"]], dec_hook=decode_withheld)


def uid(kind: str, name: str) -> str:
    """The uid an object gets when its document names none."""
    return f"uid-{kind}-{name}".lower()


def _complete(document: Raw) -> Raw:
    kind, meta = document["kind"], document["metadata"]
    document.setdefault("apiVersion", _api_version(kind))
    meta.setdefault("uid", uid(kind, meta["name"]))
    for owner in meta.get("ownerReferences", ()):
        owner.setdefault("apiVersion", _api_version(owner["kind"]))
        owner.setdefault("uid", uid(owner["kind"], owner["name"]))
        owner.setdefault("controller", True)
    if involved := document.get("involvedObject"):
        involved.setdefault("namespace", meta.get("namespace", ""))
        involved.setdefault("uid", uid(involved["kind"], involved["name"]))
    return document


def _api_version(kind: str) -> str:
    known = KINDS[kind]
    return f"{known.group}/{known.version}" if known.group else known.version
