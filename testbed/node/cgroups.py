"""A node's cgroups: one of the same name in every hierarchy of the machine, be it cgroup v1 or v2."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

GONE_S = 20.0
"""How long the kernel may take to let go of a cgroup whose last process was killed."""
_TICK_S = 0.02
_WEIGHTS = {"cpu.shares": "8192", "cpu.weight": "800"}
"""Of v1 and of v2. All containers together count as eight processes of the rest of the machine, not as one: else
probes time out on a busy one."""


def hierarchies() -> list[Path]:
    """Where cgroup file systems are mounted that hold controllers, or systemd's bookkeeping."""
    return [where for where, controllers in _mounted() if controllers]


def controllers() -> frozenset[str]:
    """All that there are here ("memory", "pids")."""
    return frozenset(c for _, controllers in _mounted() for c in controllers)


def _mounted() -> Iterator[tuple[Path, list[str]]]:
    """Each hierarchy with its controllers: v2 says them in a file, v1 among its mount options."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2":
            yield Path(where), Path(where, "cgroup.controllers").read_text().split()
        elif kind == "cgroup":
            yield Path(where), options.split(",")


def make(name: str) -> None:
    """Make the node's cgroup in each hierarchy."""
    for hierarchy in hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)
        # A new cpuset holds nothing until it's told to inherit, and no process may enter it.
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (hierarchy / "cgroup.clone_children").exists() and (hierarchy / name / file).exists():
                (hierarchy / name / file).write_text((hierarchy / file).read_text())
        for file, weight in _WEIGHTS.items():
            if (hierarchy / name / file).exists():
                (hierarchy / name / file).write_text(weight)


def there(name: str) -> bool:
    """Whether any hierarchy has this cgroup."""
    return any((hierarchy / name).is_dir() for hierarchy in hierarchies())


def remove(name: str) -> None:
    """Remove the cgroup and all below it, whose processes have been killed. Raises OSError when one stays busy."""
    until = time.monotonic() + GONE_S
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            _remove(Path(folder), until)


def _remove(cgroup: Path, until: float) -> None:
    while True:
        try:
            return cgroup.rmdir()
        except FileNotFoundError:
            return None
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(_TICK_S)
