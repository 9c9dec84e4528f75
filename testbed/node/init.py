"""Process 1 of a node's box: makes it a place where nothing can be left behind, and empties it at the end.

Runs in new mount, network and process-id namespaces. Whatever the node's programs write goes into file systems that
only this mount namespace has; the rest of the machine is read-only to them, and the sysctls that a kubelet sets are
files of the box. When standard input ends, every process of the box is killed, and its cgroups and folder are removed:
so a node ends with the process that wanted it, however that one ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from testbed.node.slot import Slot

DATA_SIZE = "512m"
"""Of the file system that images, volumes and containers share: small, so that filling it up is cheap."""
PRIVATE = ("/run", "/opt", "/var/lib", "/var/log")
"""Where the node's programs write besides their own folders."""
SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""What a kubelet sets for the whole machine."""
HEADER = 12
"""Bytes of a DNS message before its question."""
END_S = 20.0
_TICK_S = 0.02


def prepare(folder: Path) -> None:
    """Make the box: what is mounted here is seen by nobody outside, and goes with the last process."""
    _mount("--bind", str(folder), str(folder))
    for name, options in (("data", f"size={DATA_SIZE},mode=0711"), ("box", "size=1m")):
        (folder / name).mkdir()
        _mount("-t", "tmpfs", "-o", options, "tmpfs", str(folder / name))
    for where in PRIVATE:
        _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", where)
    for name in SYSCTLS:
        real, own = Path("/proc/sys", name), folder / "box" / name.replace("/", "-")
        own.write_text(real.read_text())
        _mount("--bind", str(own), str(real))
    resolver = folder / "box" / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    _mount("--bind", str(resolver), "/etc/resolv.conf")
    _mount("-o", "remount,bind,ro", "/")
    # Last, since a mount below a shared one appears twice where that one is a bind mount onto itself.
    _mount("--make-rshared", "/")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def answer(names: socket.socket) -> None:
    """Answer one question with NXDOMAIN: itself, with the flags QR, RD and RA and code 3."""
    question, asker = names.recvfrom(4096)
    if len(question) >= HEADER and (last := question.find(0, HEADER)) >= 0:
        names.sendto(question[:2] + b"\x81\x83" + b"\0\1\0\0\0\0\0\0" + question[HEADER : last + 5], asker)


async def live() -> None:
    """Wait for the end of standard input, and meanwhile for the children that other processes leave."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def heard() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            told.set()

    loop.add_reader(0, heard)
    loop.add_signal_handler(signal.SIGTERM, told.set)
    loop.add_signal_handler(signal.SIGCHLD, reap)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
        # In the box, as on a network without a way out, no name leads anywhere.
        names.bind(("127.0.0.1", 53))
        loop.add_reader(names, answer, names)
        print("ready", flush=True)
        await told.wait()
    loop.remove_signal_handler(signal.SIGCHLD)


def reap() -> None:
    """Take note of every child that has ended."""
    with suppress(ChildProcessError):  # there is none at all
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end(slot: Slot) -> None:
    """Kill every other process of the box, and remove what outlives a process."""
    until = time.monotonic() + END_S
    while others := [p.name for p in Path("/proc").iterdir() if p.name.isdigit() and p.name != "1"]:
        if time.monotonic() > until:
            raise TimeoutError(f"processes {others} don't end")
        with suppress(ProcessLookupError):  # they ended meanwhile
            os.kill(-1, signal.SIGKILL)
        reap()
        time.sleep(_TICK_S)
    mounted = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    for where in reversed([w for w in mounted if Path(w).is_relative_to(slot.folder)]):
        subprocess.run(["umount", "--lazy", where], check=True)
    _mount("-o", "remount,bind,rw", "/")
    slot.remove()


def main() -> None:
    """Live and end. Arguments: the slot's number and the descriptor of its lock."""
    slot = Slot(int(sys.argv[1]), int(sys.argv[2]))
    try:
        prepare(slot.folder)
        asyncio.run(live())
    finally:
        end(slot)


if __name__ == "__main__":
    main()
