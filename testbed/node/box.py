"""The box a node lives in: mount, network and process-id namespaces that end, with all in them, when we do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from testbed.node import cgroups
from testbed.node.slot import Slot, take

END_S = 60.0
"""Longer than process 1 takes to empty the box; only a hang of the machine exceeds it."""
START_S = 120.0
"""Until a service is there, on a machine that is busy with ten other things."""
_TICK_S = 0.05


class BoxError(Exception):
    """The box or something in it did not start, or died; the message holds the program's own words."""


class Box:
    """Namespaces with a cable to the host, in which programs are started as services."""

    def __init__(self) -> None:
        self._slot: Slot | None = None
        self._init: subprocess.Popen[str] | None = None
        self._services: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._slot = take()
        try:
            self._open()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        dead = [name for name, service in self._services.items() if service.poll() is not None]
        words = [self._words(name) for name in dead]
        self._end()
        if dead and error is None:
            raise BoxError("\n".join(words))

    @property
    def slot(self) -> Slot:
        """The box's names and addresses."""
        assert self._slot is not None
        return self._slot

    @property
    def within(self) -> tuple[str, ...]:
        """The words that run the rest of a command line in the box.

        Not `ip netns exec`: that mounts another /sys, in which there are no cgroups.
        """
        assert self._init is not None
        of = f"/proc/{self._init.pid}/ns"
        return ("nsenter", f"--mount={of}/mnt", f"--net={of}/net", f"--pid={of}/pid_for_children", "--")

    def _open(self) -> None:
        slot = self.slot
        cgroups.make(slot.cgroup)
        inner = [sys.executable, "-I", str(Path(__file__).with_name("init.py")), str(slot.number), str(slot.lock)]
        # A process group of its own keeps Ctrl-C away: the pipe tells it when to end.
        self._init = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--", *inner],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
            pass_fds=[slot.lock],
        )
        assert self._init.stdout is not None
        if not self._init.stdout.readline():
            raise BoxError(f"the box did not open: {self._init.communicate()[1]}")
        self._plug_in()

    def _plug_in(self) -> None:
        assert self._init is not None
        slot, into = self.slot, str(self._init.pid)
        _run("ip", "link", "add", slot.link, "type", "veth", "peer", "name", "eth0", "netns", into)
        _run("ip", "address", "add", f"{slot.gateway}/30", "dev", slot.link)
        _run("ip", "link", "set", slot.link, "up")
        _run(*self.within, "ip", "address", "add", f"{slot.address}/30", "dev", "eth0")
        _run(*self.within, "ip", "link", "set", "eth0", "up")

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a service. Its output goes to `NAME.log` in the slot's folder; it ends with the box."""
        with self._log(name).open("wb") as log:
            self._services[name] = subprocess.Popen(
                [*self.within, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                process_group=0,
            )

    def await_words(self, name: str, words: str) -> None:
        """Wait until a service has said something. BoxError with the end of its log when it dies before."""
        self._wait_for(name, lambda: words in self._log(name).read_text(errors="replace"))

    def await_port(self, name: str, port: int) -> None:
        """Wait until a service listens. BoxError with the end of its log when it dies before."""
        self._wait_for(name, lambda: self._listens(port))

    def _listens(self, port: int) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex((self.slot.address, port)) == 0

    def _wait_for(self, name: str, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + START_S
        while not holds():
            if self._services[name].poll() is not None or time.monotonic() > until:
                raise BoxError(self._words(name))
            time.sleep(_TICK_S)

    def run(self, *command: str) -> None:
        """Run a command in the box to its end. BoxError with its words when it fails."""
        _run(*self.within, *command)

    def check(self) -> None:
        """BoxError if a service has died."""
        for name, service in self._services.items():
            if service.poll() is not None:
                raise BoxError(self._words(name))

    def _log(self, name: str) -> Path:
        return self.slot.folder / f"{name}.log"

    def _words(self, name: str) -> str:
        last = self._log(name).read_text(errors="replace").splitlines()[-12:]
        status = self._services[name].poll()
        how = "hangs" if status is None else f"ended with {status}"
        return "\n  ".join([f"{name} {how}; the end of its log:", *last])

    def _end(self) -> None:
        """Close the pipe, wait until process 1 has emptied the box, and give the place up."""
        words = ""
        self.slot.unplug()
        if self._init is not None:
            try:
                words = self._init.communicate(timeout=END_S)[1]
            except subprocess.TimeoutExpired:
                os.killpg(self._init.pid, signal.SIGKILL)  # process 1 too, and with it everything in the box
                words = self._init.communicate()[1]
        for service in self._services.values():
            service.wait()
        status = None if self._init is None else self._init.returncode
        self.slot.release()
        if status:
            raise BoxError(f"the box did not end in order ({status}): {words}")


def _run(*command: str) -> None:
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    if ran.returncode:
        raise BoxError(f"{' '.join(command)}: {ran.stderr.strip()}")
