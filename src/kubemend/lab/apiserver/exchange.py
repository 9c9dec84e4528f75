"""A request and its answer, without the library that carries them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml

from kubemend.kube.rbac import Ask
from kubemend.lab.apiserver import protobuf
from kubemend.lab.apiserver.access import User
from kubemend.lab.apiserver.decoding import Write
from kubemend.lab.apiserver.routes import Route
from kubemend.lab.apiserver.status import ApiError, Cause, bad_request, invalid_options

_MEDIA = ("application/json", "application/yaml")
TEXT = "text/plain; charset=utf-8"
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
MANAGER_BYTES = 128
"""Bytes that the name of a field manager may have."""
SHOWN_BYTES = 30
"""Bytes of a body that can't be read that a refusal shows."""


@dataclass(frozen=True)
class Request:
    """What came in, and who it is from."""

    method: str
    route: Route
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    user: User
    asked: Ask
    command: tuple[str, ...] = ()
    """The parameter `command`, which stands there once for each word."""

    def number(self, name: str, default: int = 0) -> int:
        """A whole number among the parameters. Raises `ApiError` (400)."""
        text = self.query.get(name) or str(default)
        if not text.lstrip("-").isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)

    def is_trial(self) -> bool:
        """Whether a dry run is asked for, in the URL or in the body of a deletion or eviction."""
        if self.query.get("dryRun"):
            return True
        if not self.body or (self.method != "DELETE" and self.route.part != "eviction"):
            return False
        try:
            found = self.deletion() if self.method == "DELETE" else self.document("Eviction").get("deleteOptions")
        except ApiError:
            return False
        return bool(found and found.get("dryRun"))

    def content_type(self) -> str:
        """The body's media type without its parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip()

    def document(self, kind: str) -> dict[str, Any]:
        """The body as one object. Raises `ApiError` (400, 415)."""
        if self.content_type() == protobuf.MEDIA_TYPE:
            return protobuf.parsed(self.body)
        if (self.content_type() or _MEDIA[0]) not in _MEDIA:
            accepted = ", ".join((*_MEDIA, protobuf.MEDIA_TYPE))
            told = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
            raise ApiError("UnsupportedMediaType", told)
        try:
            return mapping(self.body, yaml_too=self.content_type() == _MEDIA[1])
        except Unreadable as error:
            told = f"the object provided is unrecognized (must be of type {kind}): {error}"
            raise bad_request(f"{told} ({_summary(self.body)})") from error

    def deletion(self) -> dict[str, Any]:
        """The body as DeleteOptions, empty when there is none. Raises `ApiError` (500, as the API server does)."""
        if not self.body:
            return {}
        if self.content_type() == protobuf.MEDIA_TYPE:
            return protobuf.parsed(self.body)
        try:
            found = mapping(self.body, yaml_too=self.content_type() == _MEDIA[1])
        except Unreadable as error:
            raise ApiError("", str(error)) from error
        return delete_options(found)

    def options(self, word: str, given: Mapping[str, Any] | None = None) -> Write:
        """How to write. word: the options' type, for refusals. given: options that came in the body."""
        dry = (given or {}).get("dryRun") or ([self.query["dryRun"]] if "dryRun" in self.query else [])
        if dry not in ([], ["All"]):
            raise invalid_options(word, Cause.unsupported("dryRun", dry, ["All"]))
        validation = self.query.get("fieldValidation", "")
        if validation not in _VALIDATIONS:
            raise invalid_options(word, Cause.unsupported("fieldValidation", validation, _VALIDATIONS))
        if len(self.query.get("fieldManager", "").encode()) > MANAGER_BYTES:
            told = f"Too long: may not be more than {MANAGER_BYTES} bytes"
            raise invalid_options(word, Cause("FieldValueTooLong", told, "fieldManager"))
        agent = self.headers.get("User-Agent", "").partition("/")[0] or "unknown"
        named = self.query.get("fieldManager", "")
        apply = self.content_type() == "application/apply-patch+yaml"
        force = {"true": True, "false": False}.get(self.query.get("force", ""))
        manager = named if apply else named or agent
        return Write(bool(dry), manager, validation=validation or "Warn", force=force)


_DELETE_OPTIONS = {
    "gracePeriodSeconds": (int, "DeleteOptions.gracePeriodSeconds", "int64"),
    "orphanDependents": (bool, "DeleteOptions.orphanDependents", "bool"),
    "propagationPolicy": (str, "DeleteOptions.propagationPolicy", "v1.DeletionPropagation"),
    "uid": (str, "Preconditions.preconditions.uid", "types.UID"),
    "resourceVersion": (str, "Preconditions.preconditions.resourceVersion", "string"),
}


def delete_options(found: dict[str, Any]) -> dict[str, Any]:
    """DeleteOptions whose fields are what they should be. Raises `ApiError` (500)."""
    kind, version = found.get("kind") or "DeleteOptions", found.get("apiVersion") or "v1"
    if kind != "DeleteOptions":
        raise ApiError("", f'no kind "{kind}" is registered for version "{version}"')
    for name, value in {**found, **(found.get("preconditions") or {})}.items():
        wanted, place, go = _DELETE_OPTIONS.get(name, (object, "", ""))
        if value is not None and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
            raise ApiError("", f"json: cannot unmarshal {_word(value)} into Go struct field {place} of type {go}")
    return found


def _word(value: Any) -> str:
    """A JSON value's type as Go names it."""
    return {bool: "bool", str: "string", list: "array", dict: "object"}.get(type(value), "number")


_SERVED = ", ".join((*_MEDIA, protobuf.MEDIA_TYPE))
_FORMS = frozenset({"Table", "PartialObjectMetadata", "PartialObjectMetadataList"})
_FORM_VERSIONS = frozenset({"v1", "v1beta1"})


def check_acceptable(accept: str) -> None:
    """Raises `ApiError` (406) when nothing that a client takes can be had. We write JSON, whatever else it takes."""
    asked = [part.split(";") for part in accept.replace(" ", "").split(",") if part]
    known = (*_MEDIA, protobuf.MEDIA_TYPE, "application/*", "*/*")
    served = [p for p in asked if p[0] in known]
    if asked and not served:
        told = f"406: Not Acceptable\n\nAvailable representations: {_SERVED}"
        raise ApiError("NotAcceptable", told, details={})
    if asked and not any(_formed(p[1:]) for p in served):
        raise ApiError("NotAcceptable", f"only the following media types are accepted: {_SERVED}")


def _formed(parameters: list[str]) -> bool:
    """Whether the form that a media type asks for is one we know."""
    given = dict(p.partition("=")[::2] for p in parameters)
    return "as" not in given or (given["as"] in _FORMS and given.get("v", "") in _FORM_VERSIONS)


class Unreadable(Exception):
    """A body that is not what it should be; the message is what Go's decoder says of it."""


def mapping(body: bytes, *, yaml_too: bool = False) -> dict[str, Any]:
    """A body that must be one object; null is an empty one. Raises `Unreadable`."""
    if yaml_too:
        found = _yaml(body)
    else:
        try:
            found = parsed(body)
        except Unreadable as error:
            raise Unreadable(f"couldn't get version/kind; json parse error: {error}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        told = f"json: cannot unmarshal {_word(found)} into {_TYPE_META}"
        raise Unreadable(f"couldn't get version/kind; json parse error: {told}")
    return found


_TYPE_META = (
    'Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)


def parsed(body: bytes) -> Any:
    """JSON. Raises `Unreadable`."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Unreadable(_go(error, body)) from error


def parsed_yaml(body: bytes) -> Any:
    """YAML, of which JSON is a part. Raises `Unreadable`."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return _yaml(body)


def _go(error: msgspec.DecodeError, body: bytes) -> str:
    """What Go says where msgspec found a fault: that the text ended too early, or which character it was."""
    found = re.search(r"byte (\d+)", str(error))
    if found is None or int(found[1]) >= len(body):
        return "unexpected end of JSON input"
    return f"invalid character {chr(body[int(found[1])])!r} looking for beginning of value"


def _summary(body: bytes) -> str:
    """The beginning of a body: text of what might be JSON, else in hexadecimal (`summarizeData`)."""
    if not body:
        return "<empty>"
    more = " ..." if len(body) > SHOWN_BYTES else ""
    shown = body[:SHOWN_BYTES]
    return (shown.decode(errors="replace") if body.startswith(b"{") else shown.hex()) + more


class _Loader(yaml.SafeLoader):
    """YAML as the API server reads it: a timestamp is text."""

    yaml_implicit_resolvers = {
        first: [(tag, regex) for tag, regex in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _yaml(body: bytes) -> Any:
    try:
        return yaml.load(body, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        raise Unreadable(f"yaml: {error}") from error


@dataclass(frozen=True)
class Answer:
    """What goes back. body: an object to be written as JSON, or text."""

    body: Any
    code: int = 200
    warnings: tuple[str, ...] = ()
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """An answer by WebSocket: a command runs, and what it prints goes back line by line."""

    run: Callable[[Callable[[str], None]], Awaitable[dict[str, Any]]]
    """Runs it to its end; returns the Status that is told last."""


@dataclass(frozen=True)
class Stream:
    """An answer that comes bit by bit."""

    chunks: AsyncIterator[bytes]
    content_type: str = "application/json"
    warnings: tuple[str, ...] = ()
