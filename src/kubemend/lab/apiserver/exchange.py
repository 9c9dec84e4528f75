"""A request and its answer, without the library that carries them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml

from kubemend.lab.apiserver import protobuf
from kubemend.lab.apiserver.access import Attributes, User
from kubemend.lab.apiserver.decoding import Write
from kubemend.lab.apiserver.routes import Route
from kubemend.lab.apiserver.status import ApiError, Cause, bad_request, invalid_options

_MEDIA = ("application/json", "application/yaml")
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")


@dataclass(frozen=True)
class Request:
    """What came in, and who it is from."""

    method: str
    route: Route
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    user: User
    asked: Attributes

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
            found = self.document("DeleteOptions")
        except ApiError:
            return False
        return bool(found.get("dryRun") or (found.get("deleteOptions") or {}).get("dryRun"))

    def content_type(self) -> str:
        """The body's media type without its parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip()

    def document(self, kind: str) -> dict[str, Any]:
        """The body as one object. Raises `ApiError` (400, 415)."""
        if self.content_type() == protobuf.MEDIA_TYPE:
            return protobuf.parsed(self.body)
        if (self.content_type() or _MEDIA[0]) not in _MEDIA or not self.body:
            accepted = ", ".join((*_MEDIA, protobuf.MEDIA_TYPE))
            told = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
            raise ApiError("UnsupportedMediaType", told)
        found = parsed(self.body, yaml_too=self.content_type() == _MEDIA[1])
        if not isinstance(found, dict):
            told = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
            raise bad_request(f"{told}json parse error: not an object ({self.body[:3].hex()})")
        return found

    def options(self, word: str, given: Mapping[str, Any] | None = None) -> Write:
        """How to write. word: the options' type, for refusals. given: options that came in the body."""
        dry = (given or {}).get("dryRun") or ([self.query["dryRun"]] if self.query.get("dryRun") else [])
        if dry not in ([], ["All"]):
            raise invalid_options(word, Cause.unsupported("dryRun", dry, ["All"]))
        validation = self.query.get("fieldValidation", "")
        if validation not in _VALIDATIONS:
            raise invalid_options(word, Cause.unsupported("fieldValidation", validation, _VALIDATIONS))
        agent = self.headers.get("User-Agent", "").partition("/")[0] or "unknown"
        named = self.query.get("fieldManager", "")
        apply = self.content_type() == "application/apply-patch+yaml"
        force = {"true": True, "false": False}.get(self.query.get("force", ""))
        manager = named if apply else named or agent
        return Write(bool(dry), manager, validation or "Warn", force)


def parsed(body: bytes, *, yaml_too: bool = False) -> Any:
    """JSON, or YAML where it may be. Raises `ApiError` (400)."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        if yaml_too:
            return _yaml(body)
        told = "the object provided is unrecognized: couldn't get version/kind; json parse error: "
        raise bad_request(f"{told}{error} ({body[:4].hex()})") from error


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
        raise bad_request(f"error parsing YAML: {error}") from error


@dataclass(frozen=True)
class Answer:
    """What goes back. body: an object to be written as JSON, or text."""

    body: Any
    code: int = 200
    warnings: tuple[str, ...] = ()
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stream:
    """An answer that comes bit by bit."""

    chunks: AsyncIterator[bytes]
    content_type: str = "application/json"
