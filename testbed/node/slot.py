"""A node's place on its machine: a number that gives folder, addresses, link and cgroup their names.

Whoever holds the lock on the folder owns all of it. The lock ends with the processes that hold it, however they end,
so what a killed node left behind is told from what a running one uses.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed.node import cgroups

SLOTS = 64
_PREFIX = "kubemend-node-"


class SlotError(Exception):
    """There is no place for a node; the message says why."""


@dataclass(frozen=True)
class Slot:
    """One place, ours while the lock's descriptor is open here or in a child."""

    number: int
    lock: int

    @property
    def folder(self) -> Path:
        """For everything that the node writes where others can see it."""
        return _folder(self.number)

    @property
    def cgroup(self) -> str:
        """The name below which all its containers run, in every hierarchy."""
        return f"{_PREFIX}{self.number}"

    @property
    def link(self) -> str:
        """The host's end of the node's only cable."""
        return f"kubemend-n{self.number}"

    @property
    def gateway(self) -> str:
        """The host's address on it."""
        return f"10.213.{self.number}.1"

    @property
    def address(self) -> str:
        """The node's address on it."""
        return f"10.213.{self.number}.2"

    def unplug(self) -> None:
        """Remove the host's end of the cable, which else goes a moment later than the last process of the node."""
        device = Path("/sys/class/net", self.link)
        while device.exists():
            gone = subprocess.run(["ip", "link", "delete", self.link], check=False, capture_output=True, text=True)
            if gone.returncode and device.exists():
                raise SlotError(f"ip link delete {self.link}: {gone.stderr.strip()}")

    def empty(self) -> None:
        """Remove cgroups and files, but not the folder itself. The processes of this place have ended."""
        cgroups.remove(self.cgroup)
        for entry in self.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def remove(self) -> None:
        """Remove everything of this place, and the folder last: from then on it may be somebody else's."""
        self.empty()
        self.folder.rmdir()

    def release(self) -> None:
        """Give the place up; process 1 of the box has removed everything, unless it was killed."""
        if self.ours():
            self.unplug()
            self.remove()
        os.close(self.lock)

    def ours(self) -> bool:
        """Whether the folder is the one that we hold the lock on."""
        return self.folder.exists() and os.path.samestat(os.fstat(self.lock), self.folder.stat())


def take() -> Slot:
    """The first free place, cleared of what a killed node may have left in it. Raises SlotError when none is free."""
    for number in range(SLOTS):
        slot = _try(number)
        if slot is not None:
            slot.unplug()
            slot.empty()
            return slot
    raise SlotError(f"all {SLOTS} places for nodes are in use")


def clear_rests() -> Iterator[int]:
    """Clear away what killed nodes left; gives their numbers. Running nodes are left alone."""
    for number in range(SLOTS):
        if (_folder(number).exists() or cgroups.there(f"{_PREFIX}{number}")) and (slot := _try(number)) is not None:
            slot.release()
            yield number


def _folder(number: int) -> Path:
    return Path(tempfile.gettempdir()) / f"{_PREFIX}{number}"


def _try(number: int) -> Slot | None:
    """The place if nobody has it. Raises SlotError when its folder is somebody else's."""
    folder = _folder(number)
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # its owner gave it up in between
        except OSError as error:
            raise SlotError(f"{folder} is no folder: {error.strerror}") from error
        if os.fstat(lock).st_uid != os.getuid():
            raise SlotError(f"{folder} belongs to another user")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        if (slot := Slot(number, lock)).ours():
            return slot
        os.close(lock)  # given up, and perhaps made anew, before we had the lock
