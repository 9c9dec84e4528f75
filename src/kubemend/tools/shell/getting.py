"""`kubectl get`: by our own reading of it, so that Secrets are redacted before a format sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import yaml

from kubemend.cluster.errors import NotFound
from kubemend.kube import jsonpath
from kubemend.kube.redaction import redacted
from kubemend.kube.table import aligned, drawn
from kubemend.model.errors import InvalidInput
from kubemend.tools.look import Look
from kubemend.tools.shell.targets import Target, targets
from kubemend.tools.shell.verdict import Asked

Object = dict[str, Any]


async def get(cluster: Look, asked: Asked, most: int) -> str:
    """Objects in the format asked for; at most so many of each kind, the rest is told as a gap."""
    form, _, rest = asked.flag("output").partition("=")
    wanted = await targets(cluster, asked)
    if form in ("", "wide"):
        return "\n\n".join([await _table(cluster, t, asked, most, wide=form == "wide") for t in wanted])
    items = [o for t in wanted for o in await objects(cluster, t, asked, most)]
    by = asked.flag("sort-by")
    whole = _whole(sorted(items, key=lambda o: _order(by, o)) if by else items, wanted)
    match form:
        case "json":
            return msgspec.json.format(msgspec.json.encode(whole), indent=4).decode()
        case "yaml":
            return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=120)
        case "name":
            return "\n".join(_named(o, wanted) for o in items)
        case "jsonpath" if rest:
            return _rendered(rest, whole)
        case "custom-columns" if rest:
            return _columns(rest, items, heads=not asked.on("no-headers"))
        case _:
            raise InvalidInput(
                f"-o {form} is no format known here",
                code="usage",
                hint="json, yaml, name, wide, jsonpath=…, custom-columns=…",
            )


async def objects(cluster: Look, target: Target, asked: Asked, most: int) -> list[Object]:
    """Whole objects without managed fields, redacted."""
    if target.names:
        try:
            found = [await cluster.raw(target.ref(name)) for name in target.names]
        except NotFound:
            if not asked.on("ignore-not-found"):
                raise
            found = []
    else:
        found = (await _listed(cluster, target, asked, most, "items"))["items"]
    head = {"apiVersion": target.resource.api_version, "kind": target.resource.kind}
    return [redacted(_plain(head | o)) for o in found]


def _plain(obj: Object) -> Object:
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "managedFields"}}


async def _listed(cluster: Look, target: Target, asked: Asked, most: int, part: str, *, fields: str = "") -> Object:
    """Page after page of `items` or of a table's `rows`."""
    made: Object = {part: []}
    token, left = "", 0
    while True:
        answer = await cluster.reader.page(
            target.resource,
            target.namespace,
            labels=asked.flag("selector"),
            fields=fields or asked.flag("field-selector"),
            limit=min(most - len(made[part]), 500),
            token=token,
            table=part == "rows",
        )
        made = {**answer, part: [*made[part], *(answer.get(part) or ())]}
        meta = answer.get("metadata", {})
        token, left = meta.get("continue", ""), int(meta.get("remainingItemCount", 0))
        if not token or len(made[part]) >= most:
            break
    if token:
        shown = len(made[part])
        cluster.missing("data/stdout", f"{shown} of {shown + left or 'more'} {target.resource.plural} shown")
    return made


async def _table(cluster: Look, target: Target, asked: Asked, most: int, *, wide: bool) -> str:
    if target.names:
        found = [await _row(cluster, target, name, asked) for name in target.names]
        table = {**found[0], "rows": [row for t in found for row in t["rows"] or ()]}
    else:
        table = await _listed(cluster, target, asked, most, "rows")
    if not table["rows"]:
        where = f" in {target.namespace} namespace" if target.namespace else ""
        return f"No resources found{where}."
    table = await _sorted(cluster, target, asked, most, _labelled(table, asked))
    whole = target.resource.namespaced and target.namespace is None
    return drawn(table, wide=wide, namespaced=whole, heads=not asked.on("no-headers"))


async def _row(cluster: Look, target: Target, name: str, asked: Asked) -> Object:
    table = await _listed(cluster, target, Asked(asked.verb), 500, "rows", fields=f"metadata.name={name}")
    if not table["rows"] and not asked.on("ignore-not-found"):
        ref = target.ref(name)
        raise NotFound(f"{target.resource.plural} {name!r} not found", status=404, where=str(ref))
    return table


def _labelled(table: Object, asked: Asked) -> Object:
    """With the columns that `-L` and `--show-labels` add."""
    wanted = [w for given in asked.flags.get("label-columns", ()) for w in given.split(",") if w]
    names = [w.rpartition("/")[2] for w in wanted] + (["labels"] if asked.on("show-labels") else [])
    if not names:
        return table
    rows = []
    for row in table["rows"]:
        labels = row.get("object", {}).get("metadata", {}).get("labels") or {}
        more = [labels.get(w, "") for w in wanted]
        if asked.on("show-labels"):
            more.append(",".join(f"{k}={v}" for k, v in sorted(labels.items())) or "<none>")
        rows.append({**row, "cells": [*row["cells"], *more]})
    return {**table, "columnDefinitions": [*table["columnDefinitions"], *({"name": n} for n in names)], "rows": rows}


async def _sorted(cluster: Look, target: Target, asked: Asked, most: int, table: Object) -> Object:
    by = asked.flag("sort-by")
    if not by:
        return table
    whole = {_key(o): o for o in await objects(cluster, target, asked, most)}
    rows = sorted(table["rows"], key=lambda r: _order(by, whole.get(_key(r["object"]), {})))
    return {**table, "rows": rows}


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _order(path: str, obj: Object) -> tuple[int, float, str]:
    """Numbers by size, all else by spelling, what isn't there first."""
    try:
        value = next(iter(jsonpath.found(path, obj)), None)
    except jsonpath.BadPath as error:
        raise InvalidInput(str(error), code="usage", where="--sort-by") from error
    if value is None:
        return (0, 0.0, "")
    return (1, float(value), "") if isinstance(value, (int, float)) else (2, 0.0, str(value))


def _whole(items: Sequence[Object], wanted: Sequence[Target]) -> Object:
    """One object as itself, several as kubectl's List."""
    if len(items) == 1 and len(wanted) == 1 and len(wanted[0].names) == 1:
        return items[0]
    return {"apiVersion": "v1", "items": list(items), "kind": "List", "metadata": {"resourceVersion": ""}}


def _named(obj: Object, wanted: Sequence[Target]) -> str:
    resource = next(t.resource for t in wanted if t.resource.kind == obj["kind"])
    singular = resource.singular or resource.kind.lower()
    return f"{f'{singular}.{resource.group}' if resource.group else singular}/{obj['metadata']['name']}"


def _rendered(template: str, whole: Object) -> str:
    try:
        return jsonpath.rendered(template, whole)
    except jsonpath.BadPath as error:
        raise InvalidInput(str(error), code="usage", where="-o jsonpath") from error


def _columns(spec: str, items: Sequence[Object], *, heads: bool) -> str:
    """`NAME:.metadata.name,IMAGE:.spec.containers[*].image`."""
    columns = [c.partition(":") for c in spec.split(",")]
    if not all(path for _, _, path in columns):
        raise InvalidInput("custom columns are NAME:path,NAME:path", code="usage", where="-o custom-columns")
    lines = [[head for head, _, _ in columns]] if heads else []
    try:
        lines += [[_cell(jsonpath.found(path, o)) for _, _, path in columns] for o in items]
    except jsonpath.BadPath as error:
        raise InvalidInput(str(error), code="usage", where="-o custom-columns") from error
    return aligned(lines)


def _cell(values: Sequence[Any]) -> str:
    shown = (v if isinstance(v, str) else msgspec.json.encode(v).decode() for v in values if v is not None)
    return ",".join(shown) or "<none>"
