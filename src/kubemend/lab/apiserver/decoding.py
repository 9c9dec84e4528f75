"""What a client sent, read as an object of its kind, or refused."""

from __future__ import annotations

import re
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
    through: the subresource that the change came by, where it is the object itself that changes (scale).
    warnings: filled in while it is done.
    """

    dry_run: bool = False
    manager: str = ""
    through: str = ""
    validation: str = "Ignore"
    force: bool | None = None
    warnings: list[str] = field(default_factory=list)


def decoded(kind: Kind, body: Object, write: Write) -> Object:
    """An object as its kind holds it. Raises `ApiError` (400)."""
    of_kind(kind, body)
    clean, unknown = schema.decode(kind, body)
    if told := _unknown(unknown):
        if write.validation == "Strict":
            raise undecodable(kind, f"strict decoding error: {', '.join(told)}")
        if write.validation == "Warn":
            write.warnings += told
    return clean


def decoded_patch(kind: Kind, old: Object, result: Object, patch: Patch, write: Write) -> Object:
    """What a patch made of `old`, as its kind holds it. Raises `ApiError` (422, as then the patch is at fault)."""
    try:
        return decoded(kind, result, write)
    except ApiError as refused:
        raise unfit(schema.decode(kind, old)[0], result, patch, refused) from refused


def unfit(old: Object, result: Object, patch: Patch, refused: ApiError) -> ApiError:
    """422 for a patch whose result can't be: of a strategic one it is shown as Go prints a map, else its result."""
    why = refused.message.partition(": ")[2]
    if patch.how == "strategic":
        cause = Cause.invalid("patch", _printed(patch.body), _UNMARSHAL.sub(_converting, why))
    else:
        cause = Cause.invalid("patch", _json(_result(old, result)), why)
    return ApiError("Invalid", f' "" is invalid: {cause}', details={"causes": [cause.wire()]})


_UNMARSHAL = re.compile(r"json: cannot unmarshal (\w+) into Go struct field \S+ of type (.+)")
_GO_TYPES = {"number": "int64", "array": "[]interface {}", "object": "map[string]interface {}"}


def _converting(found: re.Match[str]) -> str:
    """The same fault as the converter of maps to types tells it."""
    return f"cannot convert {_GO_TYPES.get(found[1], found[1])} to {found[2]}"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _result(old: Any, result: Any) -> Any:
    """A patched object in the order of its fields: sorted where the patch changed something in it."""
    if not isinstance(result, dict) or not isinstance(old, dict) or result == old:
        return old if result == old else result
    kept = {k: v for k, v in sorted(result.items()) if k != "managedFields"}
    return {k: _result(old.get(k), v) for k, v in kept.items()}


def _printed(value: Any) -> str:
    """A JSON value as Go's `%v` prints it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
        case dict():
            return "map[" + " ".join(f"{k}:{_printed(v)}" for k, v in sorted(value.items())) + "]"
        case list():
            return "[" + " ".join(map(_printed, value)) + "]"
    return str(value)


def decoded_config(kind: Kind, name: str, patch: Patch, write: Write) -> Object:
    """What server-side apply is to bring about: only what the client said, with nothing filled in."""
    if not write.manager:
        raise invalid_options("PatchOptions", Cause.required("fieldManager", "is required for apply patch"))
    body = patch.body
    if not isinstance(body, dict) or not body.get("kind") or not body.get("apiVersion"):
        raise bad_request("invalid object type: /, Kind=")
    if (body["apiVersion"], body["kind"]) != (kind.api_version, kind.kind):
        group, _, version = body["apiVersion"].rpartition("/")
        raise bad_request(f"invalid object type: {group}/{version}, Kind={body['kind']}")
    meta = body.get("metadata") or {}
    if "managedFields" in meta:
        raise bad_request("metadata.managedFields must be nil")
    body = {**body, "metadata": {"name": name, **meta}}
    of_kind(kind, body)
    clean, unknown = schema.decode(kind, body)
    if unknown:
        place = f"{meta.get('namespace', '')}/{name}; {kind.group}/{kind.version}"
        told = f"failed to create typed patch object ({place}, "
        raise ApiError("", f"{told}Kind={kind.kind}): .{unknown[0]}: field not declared in schema")
    config: Object = _said(clean, body)
    return config


def _said(clean: Any, given: Any) -> Any:
    """The decoded value without what decoding filled in, and with what it holds for nothing."""
    if isinstance(clean, dict) and isinstance(given, dict):
        empty = {k: v for k, v in given.items() if k not in clean and v in ({}, [])}
        return {**{k: _said(v, given[k]) for k, v in clean.items() if given.get(k) is not None}, **empty}
    if isinstance(clean, list) and isinstance(given, list):
        return [_said(c, g) for c, g in zip(clean, given, strict=True)]
    return clean


def of_kind(kind: Kind, body: Object) -> None:
    """`kind` and `apiVersion` may be left out, but not be another's. Raises `ApiError` (400)."""
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
