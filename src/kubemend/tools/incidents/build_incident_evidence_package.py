"""Tool: one package of evidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from kubemend.model.access import Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look

VERSION = "1.0"
NEEDED = ("resource_snapshot", "events_timeline")
"""Blocks without which an analysis would guess."""

Object = dict[str, Any]
Block = Annotated[Object | list[Any] | None, Meta(description="This piece of evidence; nothing when it wasn't had.")]


class Piece(Struct, frozen=True):
    """One block: success with its data, skipped (nobody asked for it), or failed with the error."""

    status: Literal["success", "skipped", "failed"]
    data: Any = None
    error: str | None = None


class Package(Struct, frozen=True):
    """The envelope. ready_for_analysis: the target is known, and its state and events were had."""

    schema_version: str
    built_at: datetime
    alert: Object
    target: Object
    collection_scope: Object
    blocks: dict[str, Piece]
    related_alerts: list[Any]
    collector_summary: Object
    workflow_context: Object
    missing_data: tuple[str, ...]
    errors: tuple[str, ...]
    ready_for_analysis: bool


@tool(
    risk=Risk.READ,
    needs=set(),
    examples=(
        {
            "alert": {"title": "KubePodCrashLooping", "severity": "medium"},
            "target": {"resource_type": "pod", "resource_name": "crasher", "namespace": "shop", "resolved": True},
            "resource_snapshot": {"status": {"phase": "Running"}},
            "events_timeline": [{"reason": "BackOff", "count": 7}],
        },
    ),
)
async def build_incident_evidence_package(
    cluster: Look,
    *,
    alert: Annotated[Object, Meta(description="Answer of normalize_alert_event.")],
    target: Annotated[Object, Meta(description="Answer of resolve_k8s_target_from_alert.")],
    collection_scope: Annotated[Object | None, Meta(description="How much was collected.")] = None,
    resource_snapshot: Block = None,
    events_timeline: Block = None,
    pod_logs: Block = None,
    node_context: Block = None,
    service_topology: Block = None,
    change_context: Block = None,
    related_alerts: Annotated[list[Any] | None, Meta(description="Other alerts of the same time.")] = None,
    collector_summary: Annotated[Object | None, Meta(description="What the collector says of its own work.")] = None,
    missing_data: Annotated[list[str] | None, Meta(description="Names of blocks that could not be had.")] = None,
    errors: Annotated[dict[str, str] | list[str] | None, Meta(description="Why not, by block.")] = None,
    workflow_context: Annotated[Object | None, Meta(description="What the caller wants to keep with it.")] = None,
) -> Package:
    """Put the evidence of an incident into one envelope that says what is there, what is missing and why.

    Nothing is read for it. A block that is named in `errors` or `missing_data` has failed; one that nobody gave
    is skipped: neither means that there was nothing to find.
    """
    given = {
        "resource_snapshot": resource_snapshot,
        "events_timeline": events_timeline,
        "pod_logs": pod_logs,
        "node_context": node_context,
        "service_topology": service_topology,
        "change_context": change_context,
    }
    why = errors if isinstance(errors, dict) else {}
    lacking = tuple(missing_data or ())
    blocks = {name: _piece(data, why.get(name), missing=name in lacking) for name, data in given.items()}
    told = tuple(_missing(blocks, target, lacking))
    return Package(
        schema_version=VERSION,
        built_at=datetime.now(UTC),
        alert=alert,
        target={"cluster": cluster.place.context, **target},
        collection_scope=collection_scope or {},
        blocks=blocks,
        related_alerts=related_alerts or [],
        collector_summary=collector_summary or {},
        workflow_context=workflow_context or {},
        missing_data=told,
        errors=tuple(f"{k}: {v}" for k, v in why.items()) if why else tuple(errors or ()),
        ready_for_analysis=not told,
    )


def _piece(data: Any, error: str | None, *, missing: bool) -> Piece:
    if error is not None:
        return Piece("failed", data, error)
    if missing:
        return Piece("failed", data, "it could not be had")
    return Piece("skipped") if data is None else Piece("success", data)


def _missing(blocks: dict[str, Piece], target: Object, lacking: tuple[str, ...]) -> Iterator[str]:
    """What an analysis would have to guess, and what was said to be missing."""
    if not target.get("resource_name") or target.get("resolved") is False:
        yield "target"
    yield from (name for name in NEEDED if blocks[name].status != "success" and name not in lacking)
    yield from lacking
