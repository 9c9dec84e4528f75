"""The four kinds of patch, applied to an object as the API server does it, with its own words when one can't be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from kubemend.kube.patch import PatchError, json_patch, merge, strategic
from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import ApiError, bad_request
from kubemend.lab.kinds import Kind

How = Literal["json", "merge", "strategic", "apply"]

CONTENT_TYPES: Final[Mapping[str, How]] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}


@dataclass(frozen=True)
class Patch:
    """A patch as it came in."""

    how: How
    body: Any


def patched(kind: Kind, old: Object, patch: Patch) -> Object:
    """The object that a patch other than apply makes of `old`, not yet decoded. Raises `ApiError`."""
    if patch.how == "json":
        return _json(old, patch.body)
    if not isinstance(patch.body, dict):
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {_word(patch.body)} into Go value of type "
            "map[string]interface {}"
        )
    if patch.how == "merge":
        return merge(old, patch.body)
    try:
        return strategic(old, patch.body, kind=kind.storage)
    except PatchError as error:
        raise ApiError("", error.message) from error


def _json(old: Object, body: Any) -> Object:
    if not isinstance(body, list) or not all(isinstance(op, dict) for op in body):
        go = "[]handlers.jsonPatchOp" if not isinstance(body, list) else "handlers.jsonPatchOp"
        found = body if not isinstance(body, list) else next(op for op in body if not isinstance(op, dict))
        raise bad_request(f"error decoding patch: json: cannot unmarshal {_word(found)} into Go value of type {go}")
    try:
        result = json_patch(old, body)
    except PatchError as error:
        message = "the server rejected our request due to an error in our request"
        raise ApiError("Invalid", message, details={}) from error
    if not isinstance(result, dict):
        raise bad_request(f"json: cannot unmarshal {_word(result)} into Go value of type map[string]interface {{}}")
    return result


def _word(value: Any) -> str:
    words = {bool: "bool", str: "string", list: "array", dict: "object"}
    return words.get(type(value), "number")
