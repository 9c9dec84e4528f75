"""What a machine must have for a real node to run on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from testbed.node import cgroups
from testbed.node.config import PLUGINS
from testbed.node.images import BUSYBOX, STRESS

PACKAGES = Path(__file__).with_name("packages.txt")
_PROGRAMS = ("containerd", "runc", "docker-registry", "ip", "nsenter", "unshare", "mount", "umount", "ldd")
_FILES = (Path(PLUGINS, "bridge"), Path(PLUGINS, "host-local"), BUSYBOX, STRESS)
_CONTROLLERS = frozenset({"cpu", "memory", "pids"})


def missing() -> str:
    """Why there can be no real node here; "" when there can."""
    if sys.platform != "linux":
        return "a real node needs Linux"
    if os.geteuid() != 0:
        return "a real node needs root"
    lacks = [name for name in _PROGRAMS if shutil.which(name) is None]
    lacks += [str(path) for path in _FILES if not path.exists()]
    if lacks:
        packages = " ".join(PACKAGES.read_text().split())
        return f"not installed: {', '.join(lacks)} (on Debian: apt-get install --no-install-recommends {packages})"
    return _kernel()


def _kernel() -> str:
    try:
        lacks = _CONTROLLERS - cgroups.controllers()
    except OSError as error:
        return f"cgroups can't be read: {error}"
    if lacks:
        return f"no cgroup controllers {', '.join(sorted(lacks))}"
    if not all(os.access(h, os.W_OK) for h in cgroups.hierarchies()):
        return "cgroups are read-only here"
    box = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    tried = subprocess.run(box, check=False, capture_output=True, text=True)
    return f"no namespaces can be made: {tried.stderr.strip()}" if tried.returncode else ""
