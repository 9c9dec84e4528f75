"""Tool: bash."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from kubemend.model.access import Access, Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.shell.kubectl import Claim, refusal
from kubemend.tools.shell.ran import Ran, ran
from kubemend.tools.shell.reads import PIPED, read
from kubemend.tools.shell.sandbox import SCRIPT, run
from kubemend.tools.shell.verdict import LONGEST, Class, judge_bash


@tool(
    risk=Risk.READ,
    needs={Access("list", "pods")},
    examples=(
        {"command": "kubectl get pods -n shop | grep -c Running"},
        {"command": "sort | uniq -c", "input": "b\na\nb\n"},
    ),
    within_s=60,
)
async def bash(
    cluster: Look,
    *,
    command: Annotated[str, Meta(description="A bash script, or kubectl … | filters.", max_length=LONGEST)],
    input: Annotated[str, Meta(description="What it reads on standard input.", max_length=1 << 20)] = "",  # noqa: A002
    modifies_resource: Claim = "unknown",
) -> Ran:
    """Run a bash script in a sandbox: no network, no credentials, no files of the host, nothing kept.

    One kubectl read may stand at its head: `kubectl get pods -A | awk '{print $4}' | sort | uniq -c`. It is carried
    out by kubemend, redacted, and given to the rest as its input. kubectl anywhere else is refused. The script has
    20 s, 512 MiB of memory, 64 MiB of disk in its folder, 64 processes, and 1 MiB of output.
    """
    found = judge_bash(command)
    if found.is_ is Class.CONTAINED:
        return ran(command, found.is_, await run(["/bin/bash", SCRIPT], script=command, given=input.encode()))
    if found.is_ is not Class.READ or found.asked is None:
        raise refusal(found)
    if not found.asked.piped:
        return Ran(command, found.is_, await read(cluster, found.asked))
    # Redacted before the script has it: it could hide a secret from us by writing it another way.
    given = (await read(cluster, found.asked, PIPED)) + "\n"
    return ran(command, found.is_, await run(["/bin/bash", SCRIPT], script=found.asked.piped, given=given.encode()))
