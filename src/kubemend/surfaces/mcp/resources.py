"""Resources: what was kept of the cluster (incidents, repairs), and the page of each rule."""

from __future__ import annotations

import msgspec
from mcp_types import ReadResourceResult, Resource, ResourceTemplate, TextResourceContents

from kubemend.engine.library import Library
from kubemend.model.errors import InvalidInput

SCHEME = "kubemend://"
JSON = "application/json"

LISTED = [
    Resource(
        uri=f"{SCHEME}incidents",
        name="incidents",
        title="Incidents",
        description="Faults that were found, newest first, with where each stands.",
        mime_type=JSON,
    ),
    Resource(
        uri=f"{SCHEME}repairs",
        name="repairs",
        title="Repairs",
        description="What was planned and done, newest first, and how it ended.",
        mime_type=JSON,
    ),
]
TEMPLATES = [
    ResourceTemplate(
        uri_template=f"{SCHEME}incidents/{{id}}",
        name="incident",
        title="One incident",
        description="A fault with the repairs that were planned for it.",
        mime_type=JSON,
    ),
    ResourceTemplate(
        uri_template=f"{SCHEME}repairs/{{id}}",
        name="repair",
        title="One repair",
        description="A plan and how far it came.",
        mime_type=JSON,
    ),
    ResourceTemplate(
        uri_template=f"{SCHEME}rules/{{code}}",
        name="rule",
        title="One diagnosis rule",
        description="What a code such as KM101 means, why it matters, and what to do.",
        mime_type="text/markdown",
    ),
]


async def read(uri: str, library: Library) -> ReadResourceResult:
    """One resource. A KubemendError when there is none such."""
    folder, _, name = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME):
        raise _unknown(uri)
    match folder, name:
        case "incidents", "":
            return _json(uri, await library.incidents())
        case "incidents", _:
            return _json(uri, await library.incident(name))
        case "repairs", "":
            return _json(uri, await library.repairs())
        case "repairs", _:
            return _json(uri, await library.repair(name))
        case "rules", _:
            return _text(uri, library.rule(name), "text/markdown")
    raise _unknown(uri)


def _unknown(uri: str) -> InvalidInput:
    return InvalidInput(f"there is no resource {uri!r}", code="unknown-resource", hint="resources/list names them")


def _json(uri: str, data: object) -> ReadResourceResult:
    return _text(uri, msgspec.json.encode(data).decode(), JSON)


def _text(uri: str, text: str, kind: str) -> ReadResourceResult:
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, text=text, mime_type=kind)])
