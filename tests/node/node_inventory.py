"""What there is on this machine that a node could have left there, and what a later look finds more of."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PROGRAMS = ("containerd", "containerd-shim", "kubelet", "docker-registry", "runc", "unshare", "nsenter", "pause")
_FOLDERS = ("/run", "/opt", "/etc/cni", "/var/log", "/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet")
_SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys")
_NET = ("ipv4/ip_forward", "ipv4/conf/all", "ipv4/conf/default", "bridge", "netfilter/nf_conntrack_max")


def inventory() -> set[str]:
    """One line for each thing. Other work on this machine may go on: what changes with it is left out."""
    return {*_processes(), *_mounts(), *_cgroups(), *_sysctls(), *_networks(), *_files()}


def _processes() -> Iterator[str]:
    """Programs that a node runs, whatever has its folder in its command line, and networks other than our own."""
    here = Path("/proc/self/ns/net").readlink()
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            space = (process / "ns/net").readlink()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since
        except PermissionError:
            continue  # the machine's own process 1, which lets nobody look
        if Path(words[0]).name in _PROGRAMS or any(_ours(word) for word in words):
            yield f"process {process.name} {' '.join(words)}"
        if space != here:
            yield f"network namespace {space}"


def _ours(word: str) -> bool:
    return f"{tempfile.gettempdir()}/kubemend-node-" in word


def _mounts() -> Iterator[str]:
    yield from (f"mount {line}" for line in Path("/proc/self/mounts").read_text().splitlines())


def _cgroups() -> Iterator[str]:
    yield from (f"cgroup {folder}" for folder, _, _ in os.walk("/sys/fs/cgroup") if "kube" in folder)


def _sysctls() -> Iterator[str]:
    for name in (*_SYSCTLS, *(f"net/{n}" for n in _NET)):
        root = Path("/proc/sys", name)
        for file in [root] if root.is_file() else root.rglob("*"):
            if file.is_file() and os.access(file, os.R_OK):
                yield f"sysctl {file} = {file.read_text().strip()}"


def _networks() -> Iterator[str]:
    links = subprocess.run(["ip", "-oneline", "link"], capture_output=True, text=True, check=True).stdout
    yield from (f"link {line.split(':')[1].strip()}" for line in links.splitlines())
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    yield from (f"route {line.strip()}" for line in routes.splitlines())
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    yield from (f"rule {line}" for line in rules.splitlines() if line.startswith(("-A", ":", "*")))


def _files() -> Iterator[str]:
    yield from (f"file {path}" for path in Path(tempfile.gettempdir()).iterdir() if _ours(str(path)))
    for folder in _FOLDERS:
        yield from (f"file {path}" for path in Path(folder).rglob("*"))
