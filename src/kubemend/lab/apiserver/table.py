"""Server-side printing: objects as rows of a meta.k8s.io/v1 Table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.apiserver import podrow
from kubemend.lab.apiserver.columns import definitions
from kubemend.lab.apiserver.rows import ROWS
from kubemend.lab.kinds import Kind


def wanted(accept: str) -> bool:
    """Whether a client asks for a Table before anything else that is served."""
    for part in accept.split(","):
        fields = {field.strip() for field in part.split(";")}
        if "application/json" in fields or "*/*" in fields:
            return {"as=Table", "g=meta.k8s.io"} <= fields and not fields.isdisjoint({"v=v1", "v=v1beta1"})
    return False


def table(
    kind: Kind, objects: Iterable[Object], meta: Object, now: datetime, *, include: str = "", headed: bool = True
) -> Object:
    """The Table of these objects.

    include: what comes with each row: Metadata (the default), Object or None. headed: with the columns, which a watch
    tells only once.
    """
    told: dict[str, Any] = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
    told["columnDefinitions"] = list(definitions(kind.storage)) if headed else None
    told["rows"] = [_row(kind, obj, now, include) for obj in objects]
    return told


def _row(kind: Kind, obj: Object, now: datetime, include: str) -> Object:
    row: dict[str, Any] = {"cells": ROWS[kind.storage](obj, now)}
    if kind.kind == "Pod" and (conditions := podrow.conditions(obj)):
        row["conditions"] = conditions
    if include == "None":
        return {**row, "object": None}
    if include == "Object":
        return {**row, "object": obj}
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
    return {**row, "object": partial}
