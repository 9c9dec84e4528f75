"""Tool: bash."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from kubemend.model.access import Access, Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.shell.command import script
from kubemend.tools.shell.kubectl import Claim
from kubemend.tools.shell.ran import Ran
from kubemend.tools.shell.verdict import LONGEST


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
    return await script(cluster, command, input)
