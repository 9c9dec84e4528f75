"""The handle of a tool that works with diagnoses and repairs. The engine has it; tools only ask."""

from __future__ import annotations

from typing import Any, Protocol


class Desk(Protocol):
    """Where diagnoses are made and repairs are kept. Answers are the views that every surface shows."""

    async def diagnose(self, namespace: str | None) -> dict[str, Any]:
        """All that is wrong, with causes, evidence and what could be done: the same as `kubemend scan -o json`."""
        ...

    async def propose(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """Diagnose one object, its kind in any word, and hand the best plan to the guard. Nothing is written."""
        ...

    async def guide(self, keyword: str, namespace: str | None) -> dict[str, Any]:
        """How to find the cause of a kind of trouble, from the pages of the rules."""
        ...
