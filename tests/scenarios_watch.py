"""`kubemend watch --auto-fix` as a process, and waiting."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Watcher:
    """`kubemend watch --auto-fix` as a process, and the events it tells."""

    process: subprocess.Popen[str]
    store: Path
    log: Path
    events: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def start(cls, kubeconfig: Path, folder: Path, *more: str) -> Watcher:
        store, log = folder / "ledger.db", folder / "watch.log"
        command = [sys.executable, "-m", "kubemend", "watch", "-A", "--auto-fix", "-o", "json"]
        command += ["--kubeconfig", str(kubeconfig), "--store", str(store), *more]
        with log.open("w") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        watcher = cls(process, store, log)
        wait(lambda: "watching" in log.read_text() or process.poll() is not None, 120)
        threading.Thread(target=watcher._read, daemon=True).start()
        return watcher

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.log.with_name("events.json").open("w") as kept:
            for line in self.process.stdout:
                kept.write(line)
                self.events.append(json.loads(line))

    def stop(self) -> None:
        self.process.terminate()
        status = self.process.wait(120)
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert status == 0, self.log.read_text()


def wait(done: Callable[[], object], within_s: float, *, every_s: float = 0.2) -> bool:
    """Ask again and again. Returns whether it came true in time."""
    deadline, tick = time.monotonic() + within_s, threading.Event()
    while not done():
        if time.monotonic() > deadline:
            return False
        tick.wait(every_s)
    return True
