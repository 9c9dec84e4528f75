"""Every command with the place it is imported from, so that listing them imports none."""

from __future__ import annotations

from typing import NamedTuple

HOME = "kubemend.surfaces.cli"


class Command(NamedTuple):
    """One command. path: "scan", or "approvals approve" for one below a group. home: "module:function" below HOME."""

    path: str
    home: str
    help: str
    chapter: str

    @property
    def target(self) -> str:
        """Where the function is imported from."""
        return f"{HOME}.{self.home}"


LOOK, MEND, KEEP, SETUP = "See what is wrong", "Mend it", "Look back and hold on", "Set up and practise"

COMMANDS = (
    Command("scan", "scan:scan", "Find what is broken now, with cause and evidence.", LOOK),
    Command("watch", "watch:watch", "Keep watching; with --auto-fix, repair what the policy allows.", LOOK),
    Command("snapshot save", "snapshot:save", "Keep what can be read of a cluster in a file, without secrets.", LOOK),
    Command("snapshot show", "snapshot:show", "Tell what a snapshot file or directory holds.", LOOK),
    Command("tools list", "tools:listed", "Every tool that people and agents may call, with its risk.", LOOK),
    Command(
        "tools describe", "tools:describe", "One tool: what it takes, what it answers, which rights it needs.", LOOK
    ),
    Command("tools run", "tools:run", "Call one tool.", LOOK),
    Command("mcp serve", "serving:mcp", "Serve the tools to an agent by the Model Context Protocol.", LOOK),
    Command("serve", "serving:http", "Serve the tools over HTTP (and MCP) until Ctrl-C.", LOOK),
    Command("fix", "fix:fix", "Diagnose one object, plan its repair, ask, apply and verify.", MEND),
    Command("undo", "undo:undo", "Take a past repair back.", MEND),
    Command("approvals list", "approvals:pending", "Plans that wait for a person's yes.", MEND),
    Command("approvals approve", "approvals:approve", "Say yes to one plan and carry it out.", MEND),
    Command("approvals reject", "approvals:reject", "Say no to one plan.", MEND),
    Command("repairs", "repairs:repairs", "Past and present repairs, or one in detail.", KEEP),
    Command("audit", "audit:audit", "The audit trail; --verify proves that nobody edited it.", KEEP),
    Command("pause", "pause:pause", "Stop every write of every kubemend on this ledger at once.", KEEP),
    Command("resume", "pause:resume", "Allow writes again.", KEEP),
    Command("demo", "demo:demo", "See the whole loop in a practice cluster of its own.", SETUP),
    Command("doctor", "doctor:doctor", "Check that everything kubemend needs is there.", SETUP),
    Command("rbac viewer", "rbac:viewer", "The role that finds faults, as YAML.", SETUP),
    Command("rbac tools", "rbac:tools", "The role that calls tools, as YAML.", SETUP),
    Command("rbac fixer", "rbac:fixer", "The role that also repairs them, as YAML.", SETUP),
    Command("lab up", "lab:up", "Start a practice cluster that kubectl can talk to.", SETUP),
    Command("lab break", "breaking:break_", "Break something on a cluster for practice; lists what there is.", SETUP),
    Command("version", "version:version", "The version of kubemend and of Python.", SETUP),
)

GROUPS = {
    "snapshot": "A cluster's state in a file, for later or for elsewhere.",
    "mcp": "The Model Context Protocol.",
    "tools": "What people and agents may ask for by name.",
    "approvals": "A person's yes or no to a plan.",
    "rbac": "Kubernetes roles, made from what rules and strategies declare.",
    "lab": "The practice cluster.",
}
"""Commands that only hold others."""


def page() -> str:
    """What `kubemend --help` prints. Made by hand: a library that could do it takes longer than this program may."""
    width = max(len(c.path) for c in COMMANDS)
    lines = [
        "Usage: kubemend COMMAND [OPTIONS]",
        "",
        "Mends Kubernetes: finds what is broken, repairs it safely, proves it, takes it back.",
    ]
    for chapter in (LOOK, MEND, KEEP, SETUP):
        lines += ["", chapter]
        lines += [f"  {c.path:<{width}}  {c.help}" for c in COMMANDS if c.chapter == chapter]
    lines += [
        "",
        "Nothing is written to a cluster unless --allow-changes (each change asks first) or --auto-fix is given.",
        "`kubemend COMMAND --help` tells a command's options. Data goes to stdout, everything else to stderr.",
    ]
    return "\n".join(lines)
