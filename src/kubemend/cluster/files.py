"""Snapshots in files: our own format, written and read, and what other tools leave behind, read.

Our own format is a directory (or a .tar.gz or .zip of it) with `meta.json` and one JSON list per kind, which kubectl
and jq can read as well. It holds what a Snapshot holds: no Secrets, no environment values, no ConfigMap values.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from kubemend.cluster import documents, dump
from kubemend.cluster.decoding import NOT_JSON
from kubemend.cluster.documents import Found
from kubemend.cluster.errors import ClusterError, Garbled, NotASnapshot
from kubemend.cluster.members import Member, members
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import KINDS, Obj
from kubemend.model.objects.config import encode_withheld
from kubemend.model.snapshot import Snapshot, Unread

FORMAT = "kubemend-snapshot/1"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""An annotation with a whole manifest in it, environment values and all."""


class Meta(Struct, frozen=True, kw_only=True, rename="camel"):
    """`meta.json`. kinds: kind → its file."""

    format: str
    taken_at: datetime
    cluster: str = ""
    namespace: str | None = None
    unread: tuple[Unread, ...] = ()
    kinds: dict[str, str] = {}


async def load(path: str | Path) -> Snapshot:
    """Read a snapshot from a directory, an archive or a file, whichever of the known formats it is in.

    Formats: our own; `kubectl cluster-info dump` (directory or text); manifests and lists in YAML or JSON. Anything
    else is NotASnapshot, code `not-a-snapshot`.
    """
    return await asyncio.to_thread(_load, Path(path))


async def save(snapshot: Snapshot, path: str | Path) -> Path:
    """Write a snapshot in our own format: an archive when the name ends in .tar.gz, .tgz or .zip, else a directory.

    Only the owner may read it. InvalidInput `path-exists` when there is something already.
    """
    return await asyncio.to_thread(_save, snapshot, Path(path))


def _load(path: Path) -> Snapshot:
    found = members(path)
    meta = _meta(found)
    if meta is not None:
        return _own(meta, {m.name: m.data for m in found})
    if not path.is_dir() and len(found) == 1:
        return _single(found[0], path)
    return _many(found, path)


def _meta(found: Iterable[Member]) -> Meta | None:
    told = next((m for m in found if m.name == "meta.json"), None)
    if told is None:
        return None
    try:
        meta = msgspec.json.decode(told.data, type=Meta)
    except NOT_JSON:
        return None
    return meta if meta.format == FORMAT else None


def _own(meta: Meta, files: Mapping[str, bytes]) -> Snapshot:
    found = Found()
    for name, file in meta.kinds.items():
        kind, data = KINDS.get(name), files.get(file)
        if kind is None or data is None:
            found.unread.append(Unread(name, f"{file} is not in the snapshot" if kind else "unknown to this kubemend"))
            continue
        try:
            found.take_list(kind, data, file)
        except Garbled as error:
            found.unread.append(Unread(name, f"{file}: {error.message}"))
    return Snapshot.of(
        found.objects,
        taken_at=meta.taken_at,
        unread=(*meta.unread, *found.unread),
        cluster=meta.cluster,
        kinds=found.kinds,
        namespace=meta.namespace,
    )


def _single(member: Member, path: Path) -> Snapshot:
    found = Found()
    try:
        if dump.is_text(member.data):
            dump.read_text(member.data, member.name, found)
            found.unread += dump.not_held()
        else:
            documents.read(member, found)
    except Garbled as error:
        raise NotASnapshot(error.message, where=str(path)) from error
    return _made(found, [member], path)


def _many(listed: list[Member], path: Path) -> Snapshot:
    found = Found()
    for member in listed:
        try:
            documents.read(member, found)
        except ClusterError as error:
            # One bad file of many: what it would have held is not known, and the others are still worth reading.
            found.unread.append(Unread(member.name, error.message))
    if dump.is_directory(listed):
        found.unread += (*dump.missing_files(listed), *dump.not_held())
    return _made(found, listed, path)


def _made(found: Found, listed: list[Member], path: Path) -> Snapshot:
    if not found.known:
        raise NotASnapshot(
            "holds no Kubernetes objects",
            where=str(path),
            hint="give what `kubemend snapshot save` or `kubectl cluster-info dump` wrote, or manifests",
        )
    taken_at = max((m.modified for m in listed), default=datetime.now(UTC))
    return Snapshot.of(found.objects, taken_at=taken_at, unread=found.unread, cluster=path.name, kinds=found.kinds)


def _save(snapshot: Snapshot, path: Path) -> Path:
    if path.exists():
        raise InvalidInput("there is something of that name already", code="path-exists", where=str(path))
    files = dict(_written(snapshot))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith((".tar.gz", ".tgz")):
        _archive(path, _tar(files, snapshot.taken_at))
    elif path.suffix == ".zip":
        _archive(path, _zip(files))
    else:
        _directory(path, files)
    return path


def _written(snapshot: Snapshot) -> Iterable[tuple[str, bytes]]:
    kinds = sorted(snapshot.objects, key=lambda k: k.__name__)
    names = {k: f"{k.plural}.{k.group}.json" if k.group else f"{k.plural}.json" for k in kinds}
    meta = Meta(
        format=FORMAT,
        taken_at=snapshot.taken_at,
        cluster=snapshot.cluster,
        namespace=snapshot.namespace,
        unread=snapshot.unread,
        kinds={k.__name__: names[k] for k in kinds},
    )
    yield "meta.json", msgspec.json.format(msgspec.json.encode(meta), indent=2) + b"\n"
    for kind in kinds:
        yield names[kind], _list(kind, snapshot)


def _list(kind: type[Obj], snapshot: Snapshot) -> bytes:
    """A list as kubectl would print it, but with one object a line."""
    api_version = f"{kind.group}/{kind.version}" if kind.group else kind.version
    head = msgspec.json.encode({"apiVersion": api_version, "kind": f"{kind.__name__}List", "metadata": {}})
    encoder = msgspec.json.Encoder(enc_hook=encode_withheld)
    lines = b",\n".join(encoder.encode(_clean(o)) for o in snapshot.all(kind))
    return head[:-1] + b',"items":[\n' + lines + b"\n]}\n"


def _clean(obj: Any) -> Any:
    if LAST_APPLIED not in obj.metadata.annotations:
        return obj
    annotations = {**obj.metadata.annotations, LAST_APPLIED: "<withheld>"}
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, annotations=annotations))


def _directory(path: Path, files: Mapping[str, bytes]) -> None:
    made = Path(tempfile.mkdtemp(dir=path.parent, prefix=".kubemend-"))
    try:
        for name, data in files.items():
            with os.fdopen(os.open(made / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
        made.rename(path)
    except OSError:
        shutil.rmtree(made)
        raise


def _archive(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".kubemend-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).rename(path)
    except OSError:
        Path(name).unlink()
        raise


def _tar(files: Mapping[str, bytes], taken_at: datetime) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"snapshot/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(taken_at.timestamp())
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"snapshot/{name}", data)
    return buffer.getvalue()
