"""What `kubectl cluster-info dump` leaves behind: a directory by namespace, or all of it as one text with logs between.

It holds seven kinds. All others were not read, and a namespace's file that isn't there was not read either. The output
of kubectl 1.34 was looked at; logs are cut out before anything is parsed, for anybody can write a log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from kubemend.cluster.documents import Found, yaml_documents
from kubemend.cluster.errors import NotASnapshot
from kubemend.cluster.members import Member
from kubemend.model.objects import (
    KINDS,
    DaemonSet,
    Deployment,
    Event,
    Node,
    Obj,
    Pod,
    ReplicaSet,
    Service,
)
from kubemend.model.snapshot import Unread

FILES: dict[str, type[Obj]] = {
    "events": Event,
    "services": Service,
    "daemonsets": DaemonSet,
    "deployments": Deployment,
    "replicasets": ReplicaSet,
    "pods": Pod,
}
"""A namespace's files. (replication-controllers are there too; no rule reads them.)"""
HELD: frozenset[type[Obj]] = frozenset({Node, *FILES.values()})

_START = re.compile(rb"^==== START logs for (container .{1,600}) ====$", re.MULTILINE)


def is_directory(found: Sequence[Member]) -> bool:
    """Whether files are those of a dump with --output-directory."""
    stems = {str(PurePosixPath(m.name).with_suffix("")) for m in found}
    return "nodes" in stems and any(PurePosixPath(s).name == "pods" and s.count("/") == 1 for s in stems)


def missing_files(found: Sequence[Member]) -> Iterator[Unread]:
    """The files that a namespace's directory should hold and doesn't."""
    held: dict[str, set[str]] = {}
    for member in found:
        pure = PurePosixPath(member.name)
        if len(pure.parts) == 2:
            held.setdefault(pure.parts[0], set()).add(pure.stem)
    for namespace, stems in sorted(held.items()):
        for stem, kind in FILES.items():
            if stem not in stems:
                yield Unread(kind.__name__, f"the dump has no {namespace}/{stem} file", namespace)


def not_held() -> Iterator[Unread]:
    """The kinds that no dump holds."""
    for name, kind in sorted(KINDS.items()):
        if kind not in HELD:
            yield Unread(name, "kubectl cluster-info dump does not hold this kind")


def is_text(data: bytes) -> bool:
    """Whether a text may be a whole dump: it begins with the nodes, and there is more after them."""
    return b"NodeList" in data[:200] and (b"\n}\n{" in data or b"\n---\n" in data)


def read_text(data: bytes, where: str, found: Found) -> None:
    """Keep the objects of a whole dump. When it is cut off, every kind in namespaces counts as not read."""
    text, whole = _without_logs(data)
    try:
        for document in _documents(text, where):
            found.take(document)
    except NotASnapshot:
        if not found.known:
            raise
        whole = False
    if not whole:
        found.unread += (Unread(k.__name__, "the dump is cut off") for k in HELD if k.namespaced)


def _without_logs(data: bytes) -> tuple[bytes, bool]:
    """The text without the logs in it, and whether every log has its end."""
    kept: list[bytes] = []
    at = 0
    while (start := _START.search(data, at)) is not None:
        kept.append(data[at : start.start()])
        end = b"==== END logs for " + start.group(1) + b" ====\n"
        # A log needn't end with a newline, so its end may stand in the middle of a line.
        found = data.find(end, start.end())
        if found < 0:
            return b"".join(kept), False
        at = found + len(end)
    return b"".join([*kept, data[at:]]), True


def _documents(text: bytes, where: str) -> Iterator[Any]:
    if not text.lstrip().startswith(b"{"):
        yield from yaml_documents(text, where)
        return
    decoder, plain, at = json.JSONDecoder(), text.decode(errors="replace"), 0
    while (at := _next(plain, at)) < len(plain):
        try:
            document, at = decoder.raw_decode(plain, at)
        except ValueError as error:
            raise NotASnapshot("is not a sequence of JSON documents", where=where) from error
        yield document


def _next(text: str, at: int) -> int:
    """The first place from `at` that is no white space."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at
