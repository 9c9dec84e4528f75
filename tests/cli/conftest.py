"""Running the command line inside the test: what it prints where, and its exit status."""

from __future__ import annotations

import gc
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kubemend.app import run


@dataclass(frozen=True)
class Ran:
    """One run of the program."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ran]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`cli("scan", "-o", "json")` with a home, a ledger and a standard input of its own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBEMEND_STORE", str(tmp_path / "ledger.db"))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object, stdin: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        status = run([str(a) for a in arguments])
        said = capsys.readouterr()
        gc.collect()  # what a command leaves open is told here, as its own
        return Ran(status, said.out, said.err)

    return call
