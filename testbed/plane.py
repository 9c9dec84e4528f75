"""A real control plane for as long as a `with` block: the program `testbed up` as a Python object."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

STOP_SECONDS = 30
"""Longer than stopping four components by force takes; only a hang of the machine exceeds it."""


class PlaneError(Exception):
    """The control plane did not come up, or kubectl failed; the message holds the program's own words."""


class ControlPlane:
    """etcd, API server, controller manager and scheduler, on loopback by default, with an audit log of all writes.

    The programs watch the pipe to this process: they end with it, however it ends.
    """

    def __init__(
        self,
        programs: Path,
        folder: Path,
        *,
        controllers: bool = True,
        within: Sequence[str] = (),
        address: str = "127.0.0.1",
        node: str = "",
    ) -> None:
        """`programs`: what `build.build()` returned. `folder`: new or empty; logs and certificates stay in it.

        within: the words of a command that runs the rest of its line elsewhere. address: where the API server
        listens. node: the name of a real node that gets credentials, in `node.kubeconfig`.
        """
        self.folder = folder
        self.kubectl_path = programs / "kubectl"
        self._command = [*within, str(programs / "testbed"), "up", str(folder), "--audit", f"--address={address}"]
        if node:
            self._command.append(f"--node={node}")
        if not controllers:
            self._command.append("--apiserver-only")
        self._process: subprocess.Popen[str] | None = None
        self._ready: dict[str, Any] = {}

    def __enter__(self) -> Self:
        # A process group of its own keeps Ctrl-C away: the pipe tells it when to stop.
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        assert self._process.stdout is not None
        try:
            line = self._process.stdout.readline()
        except BaseException as interrupted:
            interrupted.add_note(self._end())
            raise
        if not line:
            raise PlaneError(self._end())
        self._ready = json.loads(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        died = self._process.poll() is not None
        words = self._end()
        if died and error is None:
            raise PlaneError(words)

    def wait(self) -> None:
        """Until the control plane has ended by itself, which only a fault makes it do."""
        assert self._process is not None
        self._process.wait()

    def _end(self) -> str:
        """Close the pipe, wait, and return what the program said on standard error."""
        assert self._process is not None
        try:
            return self._process.communicate(timeout=STOP_SECONDS)[1]
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.communicate()[1]

    @property
    def kubeconfig(self) -> Path:
        """Of a cluster administrator."""
        return Path(self._ready["kubeconfig"])

    @property
    def nodes_kubeconfig(self) -> Path:
        """Of the node stand-ins: the same rights under another name, so that the audit log tells them apart."""
        return self.folder / "nodes.kubeconfig"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return str(self._ready["server"])

    @property
    def ready_seconds(self) -> float:
        """From the start until the default ServiceAccount was there."""
        return float(self._ready["ready_seconds"])

    @property
    def audit(self) -> Path:
        """One JSON object per line and write: audit.k8s.io/v1 Event."""
        return Path(self._ready["audit"])

    def writes(self, user: str = "") -> Iterator[dict[str, Any]]:
        """The audit events so far, oldest first, of one user when one is named.

        The API server appends an event before it answers, so a caller sees its own writes.
        """
        # The last line may still be in the making.
        for line in self.audit.read_text().rpartition("\n")[0].splitlines():
            event: dict[str, Any] = json.loads(line)
            if user in ("", event["user"]["username"]):
                yield event

    def kubectl(self, *arguments: str, manifest: str = "") -> str:
        """What stock kubectl prints, as the administrator; `manifest` is its standard input.

        Raises PlaneError with what it said when it fails.
        """
        ran = subprocess.run(
            [str(self.kubectl_path), *arguments],
            input=manifest,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.folder / "kubectl-cache")},
        )
        if ran.returncode:
            raise PlaneError(f"kubectl {' '.join(arguments)}: {ran.stderr.strip()}")
        return ran.stdout
