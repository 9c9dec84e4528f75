"""API bytes to Structs: one decoder per kind, and a slower second way for answers that are not quite as promised.

Kubernetes is written in Go, whose empty slices and maps may travel as `null`. A page that a strict decoder
refuses is therefore decoded again as plain data, without nulls, object by object; an object that still
makes no sense is named in `unread`, and the others are kept.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from kubemend.cluster.errors import Garbled
from kubemend.model.objects import Obj
from kubemend.model.objects.config import decode_withheld
from kubemend.model.snapshot import Unread

T = TypeVar("T", bound=Obj)

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON: bad UTF-8 and absurd nesting have errors of their own."""

LARGE = 1 << 20
"""Bytes of JSON from which the cyclic collector is paused: it made decoding up to 5.8 times slower (CPython 3.11)."""


class ListMeta(Struct, frozen=True, rename="camel"):
    """`metadata` of a list."""

    resource_version: str = ""
    token: str = msgspec.field(name="continue", default="")


class Page(Struct, Generic[T], frozen=True):
    """The wire form of a list. Go writes an empty one as null; an answer without `items` is no list."""

    items: tuple[T, ...] | None
    metadata: ListMeta = ListMeta()


class RawPage(Struct, frozen=True):
    """A list whose items are still plain data."""

    items: list[Any] | None
    metadata: ListMeta = ListMeta()


@dataclass(frozen=True)
class Decoded(Generic[T]):
    """Objects of one kind, and those that could not be made out."""

    items: tuple[T, ...]
    unread: tuple[Unread, ...] = ()
    resource_version: str = ""
    token: str = ""
    """Where the next page begins; "" on the last."""


@functools.cache
def _page_decoder(kind: type[Obj]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(Page[kind], dec_hook=decode_withheld)  # type: ignore[valid-type]


@functools.cache
def _decoder(kind: type[Obj]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, dec_hook=decode_withheld)


@contextmanager
def unhurried(size: int) -> Iterator[None]:
    """Pause the cyclic garbage collector while `size` bytes are decoded, if they are many."""
    if size < LARGE or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def page(kind: type[T], body: bytes, *, where: str) -> Decoded[T]:
    """Decode one page of a list. Garbled when it is no list at all."""
    with unhurried(len(body)):
        try:
            read: Page[T] = _page_decoder(kind).decode(body)
        except msgspec.ValidationError:
            return _leniently(kind, body, where)
        except NOT_JSON as error:
            raise Garbled(f"the answer is not JSON: {error}", where=where) from error
    return Decoded(read.items or (), (), read.metadata.resource_version, read.metadata.token)


def _leniently(kind: type[T], body: bytes, where: str) -> Decoded[T]:
    try:
        raw = msgspec.json.decode(body, type=RawPage)
    except NOT_JSON as error:
        raise Garbled(f"the answer is not a list of {kind.__name__}: {error}", where=where) from error
    items, unread = objects(kind, raw.items or ())
    return Decoded(items, unread, raw.metadata.resource_version, raw.metadata.token)


def objects(kind: type[T], raw: Iterable[Any]) -> tuple[tuple[T, ...], tuple[Unread, ...]]:
    """Plain data to Structs, one by one; what can't be made out is named instead."""
    items: list[T] = []
    unread: list[Unread] = []
    for one in raw:
        made = convert(kind, one)
        if isinstance(made, Unread):
            unread.append(made)
        else:
            items.append(made)
    return tuple(items), tuple(unread)


def convert(kind: type[T], raw: Any) -> T | Unread:
    """One object from plain data, nulls left out; Unread with its name when that can't be done."""
    try:
        return msgspec.convert(without_nulls(raw), kind, dec_hook=decode_withheld)
    except msgspec.ValidationError as error:
        namespace, name = named(raw)
        return Unread(kind.__name__, f"{_title(namespace, name)}: {error}", namespace)


def is_about(unread: Unread, namespace: str, name: str) -> bool:
    """Whether an Unread made here is about one object."""
    return unread.namespace == namespace and unread.why.startswith(f"{_title(namespace, name)}: ")


def _title(namespace: str, name: str) -> str:
    return (f"{namespace}/{name}" if namespace else name) or "an object without a name"


def one(kind: type[T], body: bytes | msgspec.Raw, *, where: str) -> T | Unread:
    """One object from JSON. Garbled when it is no JSON."""
    try:
        try:
            return _decoder(kind).decode(body)  # type: ignore[no-any-return]
        except msgspec.ValidationError:
            return convert(kind, msgspec.json.decode(body))
    except NOT_JSON as error:
        raise Garbled(f"the answer is not JSON: {error}", where=where) from error


def mapping(body: bytes, *, where: str) -> dict[str, Any]:
    """A JSON object as it is. Garbled when it is something else."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except NOT_JSON as error:
        raise Garbled(f"the answer is not a JSON object: {error}", where=where) from error


def entity(body: bytes, *, name: str, where: str, uid: str = "") -> dict[str, Any]:
    """The raw object of this name (and uid) that an answer must hold. Garbled when it holds anything else."""
    raw = mapping(body, where=where)
    meta = raw.get("metadata")
    known = meta if isinstance(meta, Mapping) else {}
    if known.get("name") != name or not known.get("uid") or uid not in ("", known["uid"]):
        raise Garbled(f"the answer is not the object {name}", where=where)
    return raw


def named(raw: Any) -> tuple[str, str]:
    """(namespace, name) of an object in plain data, "" for what isn't there."""
    meta = raw.get("metadata") if isinstance(raw, Mapping) else None
    if not isinstance(meta, Mapping):
        return "", ""
    return str(meta.get("namespace") or ""), str(meta.get("name") or "")


def without_nulls(value: Any) -> Any:
    """Plain data without the keys whose value is null."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value
