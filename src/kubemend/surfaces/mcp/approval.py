"""Asking the person behind an MCP client for a yes to one plan. Without a clear yes nothing is written.

Clients up to 2025-11-25 are asked in the middle of the call. Since 2026-07-28 a server may ask nothing: it answers that
input is required, and the client calls again with what its person said and with our state, which the library seals
against forgery and binds to the caller, the tool and its arguments.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from kubemend.engine.gateway import Ask
from kubemend.model.repair import Repair

WAIT_S = 300.0
"""Seconds that a person has to answer."""
LONGEST = 6000
"""Characters of a diff that are shown."""
KEY = "approval"
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "approve": {
            "type": "boolean",
            "title": "Carry it out",
            "description": "Yes writes exactly this plan to the cluster; anything else writes nothing.",
            "default": False,
        }
    },
    "required": ["approve"],
}


@dataclass
class Approval:
    """One call's way to its person.

    required: what the answer of a modern call is when its person has to be asked first.
    """

    context: ServerRequestContext[Any, Any]
    params: CallToolRequestParams
    required: InputRequiredResult | None = field(default=None, init=False)

    @property
    def ask(self) -> Ask | None:
        """How to ask. None when the client can't: then a plan only waits."""
        capabilities = self.context.session.client_capabilities
        elicitation = None if capabilities is None else capabilities.elicitation
        # A client that names neither form nor URL means forms: there was nothing else at first.
        if elicitation is None or (elicitation.form is None and elicitation.url is not None):
            return None
        return self._later if self.context.protocol_version in MODERN_PROTOCOL_VERSIONS else self._now

    async def _now(self, repair: Repair, card: dict[str, Any]) -> bool | None:
        session = self.context.session
        try:
            async with asyncio.timeout(WAIT_S):
                said = await session.elicit_form(question(repair, card), FORM, self.context.request_id)
        except (TimeoutError, MCPError):
            return None
        return verdict(said)

    async def _later(self, repair: Repair, card: dict[str, Any]) -> bool | None:
        state = json.dumps([repair.id, repair.plan.hash])
        said = (self.params.input_responses or {}).get(KEY)
        if self.params.request_state == state and isinstance(said, ElicitResult):
            return verdict(said)
        # Never asked, or asked about another plan than there would be now.
        form = ElicitRequestFormParams(message=question(repair, card), requested_schema=FORM)
        self.required = InputRequiredResult(input_requests={KEY: ElicitRequest(params=form)}, request_state=state)
        return None


def verdict(said: ElicitResult) -> bool | None:
    """What an answer means. A form that was sent without its yes is a no; a dialog that was closed is no answer."""
    if said.action == "cancel":
        return None
    return said.action == "accept" and (said.content or {}).get("approve") is True


def question(repair: Repair, card: dict[str, Any]) -> str:
    """What the person reads."""
    plan, diff = card["plan"], card["diff"]
    shown = diff if len(diff) <= LONGEST else diff[:LONGEST] + f"\n… {len(diff) - LONGEST} more characters"
    return f"{plan['reason']} (risk {plan['risk']}, repair {repair.id}, plan {repair.plan.hash[:12]})\n\n{shown}"
