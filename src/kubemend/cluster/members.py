"""The files in a directory or archive, read into memory: nothing is unpacked, so no name can lead anywhere.

Archives come from other people. Sizes are limited while reading, whatever an archive says about itself.
"""

from __future__ import annotations

import os
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from kubemend.cluster.errors import NotASnapshot

SUFFIXES = (".json", ".yaml", ".yml")
MAX_FILE = 256 << 20
"""Bytes of one file: six times a list of 5,000 pods."""
MAX_KEPT = 1 << 30
"""Bytes of all files that are kept."""
MAX_SEEN = 4 << 30
"""Bytes of all files of an archive, logs that are passed over included."""
MAX_COUNT = 100_000
"""Files of any kind."""


@dataclass(frozen=True)
class Member:
    """A file: its path with "/", its content, and when it was last written."""

    name: str
    data: bytes
    modified: datetime


def members(path: Path) -> list[Member]:
    """The JSON and YAML files at a path: a directory, a .tar, .tar.gz or .zip archive, or one file of any name.

    A folder that holds all the others is left out of their names. NotASnapshot when it can't be read or is too large.
    """
    try:
        if path.is_dir():
            found = _limited(_from_directory(path))
        elif zipfile.is_zipfile(path):
            found = _limited(_from_zip(path))
        elif (mode := _tar_mode(path)) is not None:
            found = _limited(_from_tar(path, mode))
        else:
            return _limited(iter([_file(path, path.name)]))
    except (OSError, EOFError, NotImplementedError, zlib.error, zipfile.BadZipFile, tarfile.TarError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged"
        raise NotASnapshot(f"cannot be read: {reason}", where=str(path)) from error
    return _without_common_folder(found)


def _limited(found: Iterator[Member]) -> list[Member]:
    kept: list[Member] = []
    total = 0
    for member in found:
        kept.append(member)
        total += len(member.data)
        if total > MAX_KEPT:
            raise _too_large(f"more than {MAX_KEPT >> 20} MiB of JSON and YAML")
    return kept


def _from_directory(root: Path) -> Iterator[Member]:
    inside = root.resolve()
    count = 0
    for folder, below, names in os.walk(root):
        below[:] = sorted(b for b in below if not b.startswith("."))
        count += len(names)
        if count > MAX_COUNT:
            raise _too_large(f"more than {MAX_COUNT} files")
        for name in sorted(names):
            path = Path(folder, name)
            if not _wanted(name):
                continue
            if not path.resolve().is_relative_to(inside):
                raise NotASnapshot("a link leads out of the directory", where=str(path), code="snapshot-unsafe")
            yield _file(path, path.relative_to(root).as_posix())


def _file(path: Path, name: str) -> Member:
    with path.open("rb") as file:
        return Member(name, _read(file, name), _when(os.fstat(file.fileno()).st_mtime))


def _tar_mode(path: Path) -> Literal["r:", "r:gz"] | None:
    with path.open("rb") as file:
        begin = file.read(512)
    if begin.startswith(b"\x1f\x8b"):
        return "r:gz"
    return "r:" if begin[257:262] == b"ustar" else None


def _from_tar(path: Path, mode: Literal["r:", "r:gz"]) -> Iterator[Member]:
    seen = 0
    with tarfile.open(path, mode) as archive:
        for count, entry in enumerate(archive):
            seen += entry.size
            _check(entry.name, count, seen)
            # Links and devices are passed over: only what is in the archive itself counts.
            file = archive.extractfile(entry) if entry.isreg() and _wanted(entry.name) else None
            if file is not None:
                yield Member(entry.name, _read(file, entry.name), _when(entry.mtime))


def _from_zip(path: Path) -> Iterator[Member]:
    seen = 0
    with zipfile.ZipFile(path) as archive:
        for count, entry in enumerate(archive.infolist()):
            seen += entry.file_size
            _check(entry.filename, count, seen)
            if entry.is_dir() or not _wanted(entry.filename):
                continue
            if entry.flag_bits & 1:
                raise NotASnapshot("the archive is encrypted", where=entry.filename)
            with archive.open(entry) as file:
                # A zip has local time and no zone; mktime takes the zeros of an unset date too.
                modified = time.mktime((*entry.date_time, 0, 0, -1))
                yield Member(entry.filename, _read(file, entry.filename), _when(modified))


def _when(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError):  # an archive may say anything
        return datetime.fromtimestamp(0, UTC)


def _read(file: IO[bytes], name: str) -> bytes:
    data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise _too_large(f"{name} has more than {MAX_FILE >> 20} MiB")
    return data


def _check(name: str, count: int, seen: int) -> None:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts:
        raise NotASnapshot("a file of the archive has a path that leads out of it", where=name, code="snapshot-unsafe")
    if count >= MAX_COUNT or seen > MAX_SEEN:
        raise _too_large(f"more than {MAX_COUNT} files or {MAX_SEEN >> 30} GiB")


def _wanted(name: str) -> bool:
    pure = PurePosixPath(name)
    return pure.suffix in SUFFIXES and not any(p.startswith(".") for p in pure.parts)


def _too_large(what: str) -> NotASnapshot:
    return NotASnapshot(what, code="snapshot-too-large")


def _without_common_folder(found: list[Member]) -> list[Member]:
    tops = {m.name.partition("/")[0] for m in found}
    if len(tops) != 1 or any("/" not in m.name for m in found):
        return found
    return [replace(m, name=m.name.partition("/")[2]) for m in found]
