"""Clusters made of the rules' own cases, one case to a namespace, and what may happen to them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from kubemend.model.objects import KINDS, Obj
from kubemend.model.snapshot import Key, Snapshot, Unread
from worlds import NOW, decode, load

CASES = Path(__file__).resolve().parent.parent / "rules" / "cases"


def firing() -> list[Path]:
    return sorted(CASES.glob("*/fires-*.yaml"))


def every() -> list[Path]:
    return sorted(CASES.glob("*/*.yaml"))


def objects(case: Path, namespace: str) -> list[Obj]:
    """The objects of a case in a namespace of our choice, with uids that no other namespace has."""
    return [decode(_moved(raw, namespace)) for raw in load(case).raw.values()]


def _moved(value: Any, namespace: str) -> Any:
    if isinstance(value, list):
        return [_moved(v, namespace) for v in value]
    if not isinstance(value, dict):
        return value
    made = {k: _moved(v, namespace) for k, v in value.items()}
    if isinstance(made.get("uid"), str):
        made["uid"] = f"{made['uid']}@{namespace}"
    if made.get("namespace") == "shop":
        made["namespace"] = namespace
    return made


def pair(case: Path) -> Cluster:
    """A cluster in which a case happens in two namespaces, read as the case says."""
    seen = load(case).snapshot
    cluster = Cluster({k: {} for k in seen.objects}, seen.taken_at, seen.unread)
    cluster.put(*objects(case, "one"), *objects(case, "two"))
    return cluster


def alike(obj: Obj, other: Obj) -> Obj:
    """Another object's content under this one's name and uid: a change of this one."""
    meta = obj.metadata
    kept = msgspec.structs.replace(
        other.metadata, name=meta.name, namespace=meta.namespace, uid=meta.uid, owner_references=meta.owner_references
    )
    return msgspec.structs.replace(other, metadata=kept)


@dataclass
class Cluster:
    """What a watch cache would hold: mappings that are replaced when one of their objects changes."""

    objects: dict[type[Obj], dict[Key, Obj]] = field(default_factory=lambda: {k: {} for k in KINDS.values()})
    now: datetime = NOW
    unread: tuple[Unread, ...] = ()

    def put(self, *objects: Obj) -> None:
        for obj in objects:
            kind = type(obj)
            self.objects[kind] = {**self.objects[kind], (obj.namespace, obj.name): obj}

    def drop(self, obj: Obj) -> None:
        kind = type(obj)
        self.objects[kind] = {k: o for k, o in self.objects[kind].items() if k != (obj.namespace, obj.name)}

    def snapshot(self) -> Snapshot:
        unread = {u.kind for u in self.unread if not u.namespace}
        held = {k: o for k, o in self.objects.items() if k.__name__ not in unread}
        return Snapshot(self.now, held, self.unread)

    def all(self) -> list[Obj]:
        return [o for held in self.objects.values() for o in held.values()]


def drops(cluster: Cluster) -> Iterator[str]:
    """Take each object away and put it back. Yields what was done, each time."""
    for obj in cluster.all():
        cluster.drop(obj)
        yield f"without {obj.ref}"
        cluster.now += timedelta(seconds=1)
        cluster.put(obj)
        yield f"with {obj.ref} again"


def happenings(cluster: Cluster, seed: int, count: int) -> Iterator[str]:
    """Random changes of a random cluster. Yields what was done, each time."""
    rnd = random.Random(seed)
    stock = [o for i, case in enumerate(rnd.sample(every(), 40)) for o in objects(case, f"stock-{i}")]
    for i, case in enumerate(rnd.sample(every(), 12)):
        cluster.put(*objects(case, f"ns-{i}"))
    gone: list[Obj] = []
    yield "all is put up"
    for _ in range(count):
        there = cluster.all()
        match rnd.choice(("drop", "back", "change", "change", "change", "touch", "time", "case", "blind")):
            case "drop":
                obj = rnd.choice(there)
                cluster.drop(obj)
                gone.append(obj)
                yield f"{obj.ref} is deleted"
            case "back" if gone:
                obj = gone.pop(rnd.randrange(len(gone)))
                cluster.put(obj)
                yield f"{obj.ref} is made again"
            case "change":
                obj = rnd.choice(there)
                others = [o for o in stock if type(o) is type(obj)]
                cluster.put(alike(obj, rnd.choice(others or [obj])))
                yield f"{obj.ref} changes"
            case "touch":
                obj = rnd.choice(there)
                meta = msgspec.structs.replace(obj.metadata, resource_version=str(rnd.random()))
                cluster.put(msgspec.structs.replace(obj, metadata=meta))
                yield f"{obj.ref} is touched"
            case "time":
                cluster.now += timedelta(seconds=rnd.choice((1, 20, 70, 700)))
                yield f"it is {cluster.now}"
            case "case":
                path = rnd.choice(every())
                cluster.put(*objects(path, f"ns-{rnd.randrange(12)}"))
                yield f"{path.stem} is applied"
            case "blind":
                kind = rnd.choice(sorted(KINDS))
                cluster.unread = rnd.choice(((), (Unread(kind, "forbidden"),), (Unread(kind, "forbidden", "ns-1"),)))
                yield f"unread: {cluster.unread}"


def later(cluster: Cluster, seconds: float) -> Cluster:
    return replace(cluster, now=cluster.now + timedelta(seconds=seconds))
