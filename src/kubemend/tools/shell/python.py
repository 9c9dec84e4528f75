"""Tool: Python."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from kubemend.model.access import Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.shell import sandbox
from kubemend.tools.shell.ran import Ran, ran
from kubemend.tools.shell.script import hidden
from kubemend.tools.shell.verdict import LONGEST, Class


@tool(
    risk=Risk.READ,
    needs=set(),
    examples=({"code": "import statistics, sys\nprint(statistics.mean(map(float, sys.stdin)))", "input": "1\n2\n6\n"},),
    within_s=60,
)
async def python(
    cluster: Look,
    *,
    code: Annotated[str, Meta(description="A Python program; what it prints is the answer.", max_length=LONGEST)],
    input: Annotated[str, Meta(description="What it reads on standard input.", max_length=1 << 20)] = "",  # noqa: A002
) -> Ran:
    """Run a Python program in a sandbox, to compute: the standard library, no network, no cluster, nothing kept.

    Give it data as `input`. It has 20 s, 512 MiB of memory, 64 MiB of disk in its folder and 1 MiB of output.
    """
    if why := hidden(code):
        raise InvalidInput(why, code="command-refused", where="code")
    outcome = await sandbox.run([sandbox.python(), "-I", sandbox.SCRIPT], script=code, given=input.encode())
    return ran(code, Class.CONTAINED, outcome)
