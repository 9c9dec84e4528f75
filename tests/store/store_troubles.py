"""Ways in which a ledger can be unusable, each made real on the disk."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


class NoMount(Exception):
    """This machine lets us mount nothing."""


@contextmanager
def disk(folder: Path, *, size: str, read_only: bool = False) -> Iterator[Path]:
    """A small file system of its own, mounted at the folder. NoMount where that isn't allowed."""
    folder.mkdir()
    ran = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise NoMount(ran.stderr)
    try:
        if read_only:
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def small_disk(folder: Path, *, size: str = "1m") -> Iterator[Path]:
    """`disk`, or a skip that says why; CI must not skip."""
    try:
        with disk(folder, size=size) as made:
            yield made
    except NoMount as why:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no file system of a small size can be made here: {why}")


def fill(folder: Path) -> Path:
    """Leave no byte free on the folder's file system. Returns the file that takes the room."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"\0" * 4096)
        except OSError:
            return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process's transaction on the ledger, which does not end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE" if not path.stat().st_size else "BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@dataclass(frozen=True)
class Trouble:
    """code: the error's. make: spoils a ledger that was fine; yields the path to give to the program.

    limit: bytes that no file of the program may grow beyond, for a quota. commands: those that can't go on.
    """

    name: str
    code: str
    make: Callable[[Path], Iterator[Path]]
    limit: int = 0
    commands: tuple[str, ...] = ("fix", "watch", "undo")


def _locked(path: Path) -> Iterator[Path]:
    with locked(path):
        yield path


def _garbled(path: Path) -> Iterator[Path]:
    """A page in the middle is not what it was, as after a disk error."""
    size = path.stat().st_size
    with path.open("r+b") as ledger:
        ledger.seek(4096)
        ledger.write(os.urandom(size - 4096))
    yield path


def _no_database(path: Path) -> Iterator[Path]:
    path.write_text("words, and more of them than any header has\n" * 50)
    yield path


def _newer(path: Path) -> Iterator[Path]:
    with closing(sqlite3.connect(path)) as held:
        held.execute("UPDATE alembic_version SET version_num = '9999'")
        held.commit()
    yield path


def _foreign(path: Path) -> Iterator[Path]:
    other = path.with_name("contacts.db")
    with closing(sqlite3.connect(other)) as held:
        held.execute("CREATE TABLE contacts (name TEXT)")
        held.commit()
    yield other


def _unknown(path: Path) -> Iterator[Path]:
    """Another program's migrations: its versions have other names."""
    with closing(sqlite3.connect(path)) as held:
        held.execute("UPDATE alembic_version SET version_num = '0000'")
        held.commit()
    yield path


def _illegible(path: Path) -> Iterator[Path]:
    """An open repair whose plan isn't one."""
    with closing(sqlite3.connect(path)) as held:
        held.execute("""UPDATE repairs SET plan = '{"changes": [{"op": "unheard-of"}]}', state = 'applying'""")
        held.commit()
    yield path


def _moved(path: Path, folder: Path) -> Path:
    target = folder / "ledger.db"
    target.write_bytes(path.read_bytes())
    return target


def _read_only_disk(path: Path) -> Iterator[Path]:
    folder = path.with_name("read-only")
    with small_disk(folder):
        target = _moved(path, folder)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield target


def _read_only_folder(path: Path) -> Iterator[Path]:
    """The folder isn't there yet, and can't be made."""
    folder = path.with_name("read-only")
    with small_disk(folder):
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield folder / "state" / "ledger.db"


def _full(path: Path) -> Iterator[Path]:
    folder = path.with_name("full")
    with small_disk(folder):
        target = _moved(path, folder)
        fill(folder)
        yield target


def _full_from_the_start(path: Path) -> Iterator[Path]:
    folder = path.with_name("full")
    with small_disk(folder, size="16k"):
        yield folder / "ledger.db"


def _as_it_is(path: Path) -> Iterator[Path]:
    yield path


TROUBLES = (
    Trouble("locked by another process", "store-locked", _locked),
    Trouble("garbled pages", "store-corrupt", _garbled),
    Trouble("no database", "store-corrupt", _no_database),
    Trouble("another program's database", "store-corrupt", _foreign),
    # `watch` says so and goes on with the other objects: the repair holds its own as before.
    Trouble("an open repair that can't be read", "store-corrupt", _illegible, commands=("fix", "undo")),
    Trouble("a newer schema", "store-newer", _newer),
    Trouble("an unknown schema", "store-newer", _unknown),
    Trouble("a read-only disk", "store-read-only", _read_only_disk),
    Trouble("a folder that can't be made", "store-read-only", _read_only_folder),
    Trouble("a full disk", "store-full", _full),
    Trouble("a disk too small for a new ledger", "store-full", _full_from_the_start),
    Trouble("a quota", "store-full", _as_it_is, limit=4096),
)
