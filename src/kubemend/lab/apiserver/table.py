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

META = "meta.k8s.io/v1"
_GENERATION = "deprecated.daemonset.template.generation"


def wanted(accept: str) -> bool:
    """Whether a client asks for a Table before anything else that is served."""
    for part in accept.split(","):
        fields = {field.strip() for field in part.split(";")}
        if "application/json" in fields or "*/*" in fields:
            return {"as=Table", "g=meta.k8s.io"} <= fields and not fields.isdisjoint({"v=v1", "v=v1beta1"})
    return False


def version(accept: str) -> str:
    """The version of the Table that a client asks for."""
    return "v1beta1" if "v=v1beta1" in accept and "v=v1;" not in accept else "v1"


def metadata_wanted(accept: str) -> bool:
    """Whether a client asks for the metadata alone."""
    first = {field.strip() for field in accept.partition(",")[0].split(";")}
    return not first.isdisjoint({"as=PartialObjectMetadata", "as=PartialObjectMetadataList"})


def metadata(obj: Object) -> Object:
    """An object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": obj["metadata"]}


def table(
    kind: Kind,
    objects: Iterable[Object],
    meta: Object,
    now: datetime,
    *,
    include: str = "",
    headed: bool = True,
    api_version: str = META,
) -> Object:
    """The Table of these objects.

    include: what comes with each row: Metadata (the default), Object or None. headed: with the columns, which a watch
    tells only once.
    """
    told: dict[str, Any] = {"kind": "Table", "apiVersion": api_version, "metadata": meta}
    told["columnDefinitions"] = list(definitions(kind.storage)) if headed else None
    told["rows"] = [_row(kind, obj, now, include, api_version) for obj in objects]
    return told


def _row(kind: Kind, obj: Object, now: datetime, include: str, api_version: str) -> Object:
    row: dict[str, Any] = {"cells": ROWS[kind.storage](obj, now)}
    if kind.kind == "Pod" and (conditions := podrow.conditions(obj)):
        row["conditions"] = conditions
    if include == "None":
        return {**row, "object": None}
    if include == "Object":
        return {**row, "object": obj}
    return {**row, "object": {**metadata(_internal(obj)), "apiVersion": api_version}}


def _internal(obj: Object) -> Object:
    """An object as the server holds it before it writes it as one of its version, which is what rows are made of."""
    marks = obj["metadata"].get("annotations") or {}
    if _GENERATION not in marks:
        return obj
    kept = {k: v for k, v in marks.items() if k != _GENERATION}
    meta = {k: v for k, v in obj["metadata"].items() if k != "annotations"}
    return {**obj, "metadata": {**meta, **({"annotations": kept} if kept else {})}}
