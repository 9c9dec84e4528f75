"""What a command came to, for every tool that runs one."""

from __future__ import annotations

from msgspec import Struct, field

from kubemend.tools.shell.sandbox import Outcome
from kubemend.tools.shell.verdict import Class

_STOPPED = {
    "time": "it was stopped: its time was up",
    "memory": "it was stopped: it used too much memory",
    "output": "it was stopped: it said too much",
}


class Ran(Struct, frozen=True):
    """What a command printed. class_: how it was judged. stream_type: "watch" or "logs" where it would have gone on."""

    command: str
    class_: Class = field(name="class")
    stdout: str
    stderr: str = ""
    exit_code: int = 0
    error: str = ""
    stream_type: str = ""


def ran(command: str, class_: Class, outcome: Outcome) -> Ran:
    """An outcome of the sandbox. `error` says which limit ended it, or that it failed."""
    error = _STOPPED.get(outcome.stopped, "")
    if not error and outcome.exit_code:
        error = f"it ended with exit code {outcome.exit_code}"
    stream_type = "timeout" if outcome.stopped == "time" else ""
    return Ran(command, class_, outcome.stdout, outcome.stderr, outcome.exit_code, error, stream_type)
