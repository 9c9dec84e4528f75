"""What a client sent, read as an object of its kind, or refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from kubemend.lab.api import Object
from kubemend.lab.apiserver import schema
from kubemend.lab.apiserver.patching import Patch
from kubemend.lab.apiserver.status import ApiError, Cause, bad_request, invalid_options, undecodable
from kubemend.lab.kinds import KINDS, Kind

_SERVED = frozenset((k.api_version, k.kind) for k in KINDS)


@dataclass
class Write:
    """How a write is to be done, and what it had to say.

    manager: the field manager; empty for the cluster's own components, whose fields aren't noted.
    validation: Strict refuses unknown fields; Warn and Ignore drop them, the one with a word.
    warnings: filled in while it is done.
    """

    dry_run: bool = False
    manager: str = ""
    validation: str = "Ignore"
    force: bool | None = None
    warnings: list[str] = field(default_factory=list)


def decoded(kind: Kind, body: Object, write: Write) -> Object:
    """An object as its kind holds it. Raises `ApiError` (400)."""
    _of_kind(kind, body)
    clean, unknown = schema.decode(kind, body)
    if told := _unknown(unknown):
        if write.validation == "Strict":
            raise undecodable(kind, f"strict decoding error: {', '.join(told)}")
        if write.validation == "Warn":
            write.warnings += told
    return clean


def decoded_patch(kind: Kind, result: Object, patch: Patch, write: Write) -> Object:
    """What a patch made of an object, as its kind holds it. Raises `ApiError` (422, as then the patch is at fault)."""
    try:
        return decoded(kind, result, write)
    except ApiError as refused:
        why = refused.message.partition(": ")[2]
        cause = Cause.invalid("patch", msgspec.json.encode(patch.body).decode(), why)
        raise ApiError("Invalid", f' "" is invalid: {cause}', details={"causes": [cause.wire()]}) from refused


def decoded_config(kind: Kind, name: str, patch: Patch, write: Write) -> Object:
    """What server-side apply is to bring about: only what the client said, with nothing filled in."""
    if not write.manager:
        raise invalid_options("PatchOptions", Cause.required("fieldManager", "is required for apply patch"))
    body = patch.body
    if not isinstance(body, dict) or not body.get("kind") or not body.get("apiVersion"):
        raise bad_request("invalid object type: /, Kind=")
    meta = body.get("metadata") or {}
    if "managedFields" in meta:
        raise bad_request("metadata.managedFields must be nil")
    body = {**body, "metadata": {"name": name, **meta}}
    _of_kind(kind, body)
    clean, unknown = schema.decode(kind, body)
    if unknown:
        told = f"failed to create typed patch object ({meta.get('namespace', '')}/{name}; {kind.api_version}, "
        raise ApiError("", f"{told}Kind={kind.kind}): .{unknown[0]}: field not declared in schema")
    config: Object = _said(clean, body)
    return config


def _said(clean: Any, given: Any) -> Any:
    """The decoded value without what decoding filled in."""
    if isinstance(clean, dict) and isinstance(given, dict):
        return {k: _said(v, given[k]) for k, v in clean.items() if given.get(k) is not None}
    if isinstance(clean, list) and isinstance(given, list):
        return [_said(c, g) for c, g in zip(clean, given, strict=True)]
    return clean


def _of_kind(kind: Kind, body: Object) -> None:
    """`kind` and `apiVersion` may be left out, but not be another's."""
    version, word = body.get("apiVersion") or kind.api_version, body.get("kind") or kind.kind
    if (version, word) == (kind.api_version, kind.kind):
        return
    short = str(version).rpartition("/")[2]
    why = f'no kind "{word}" is registered for version "{version}"'
    if (version, word) in _SERVED:
        why = f"converting ({_go(version)}.{word}) to ({_go(kind.api_version, internal=True)}.{kind.kind}): "
        why += "unknown conversion"
    raise bad_request(f'{word} in version "{short}" cannot be handled as a {kind.kind}: {why}')


def _go(api_version: str, *, internal: bool = False) -> str:
    """A Go package: "v1", or "core" and "apps" for the internal types."""
    group, _, version = api_version.rpartition("/")
    return (group.partition(".")[0] or "core") if internal else version


def _unknown(paths: list[str]) -> list[str]:
    return [f'unknown field "{path}"' for path in paths]
