"""The shape of every kind's fields: what decoding into Kubernetes' own types keeps, drops, fills in and refuses.

`types.txt` beside this file holds, per type, its fields as Kubernetes 1.34 publishes them: the number in protobuf
(of the messages from the outside in, where JSON has one object for several), the name in JSON, the type.
A field's type: s text, i whole number, b boolean, f number, q quantity, x number or text, t time, m time with
microseconds, y base64, * anything, [T] list, {T} map by text, or the name of another type. `?` marks a field whose
zero value is kept, `!` one that is written even when it was absent; of other fields a zero value is dropped.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from kubemend.kube.quantity import QuantityError
from kubemend.lab.api import Object
from kubemend.lab.apiserver.amount import canonical
from kubemend.lab.apiserver.status import undecodable
from kubemend.lab.kinds import Kind

_GO = {"s": "string", "i": "int32", "b": "bool", "f": "float64", "t": "string", "m": "string", "y": "string"}
_ZERO: dict[str, Any] = {"s": "", "i": 0, "b": False, "f": 0, "x": 0, "q": "0"}
_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


class _Undecodable(Exception):
    """The value isn't of its field's type; the message is the decoder's."""


@dataclass(frozen=True)
class Field:
    """One field of a type."""

    name: str
    type: str
    keeps_zero: bool
    always: bool
    numbers: tuple[int, ...]

    @cached_property
    def holds(self) -> bool:
        """Whether it stays even when nothing is in it: an object, or something not described."""
        return _is_struct(self.type) or self.type == "*"


@cache
def types() -> dict[str, dict[str, Field]]:
    """Type name → its fields, in the order in which they are written."""
    text = files(__package__).joinpath("types.txt").read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines():
        name, *fields = line.split(" ")
        found[name] = {f.name: f for f in map(_field, fields)}
    return found


def _field(text: str) -> Field:
    place, _, rest = text.partition(".")
    name, _, type_ = rest.partition(":")
    numbers = tuple(map(int, place.split("/")))
    return Field(name, type_.rstrip("?!"), type_.endswith("?"), type_.endswith("!"), numbers)


def decode(kind: Kind, obj: Object) -> tuple[Object, list[str]]:
    """The object as its kind's type holds it, and the paths of fields that the type doesn't know.

    Raises `ApiError` (400) where a value can't be held.
    """
    decoder = _Decoder()
    known = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind")}
    try:
        clean = decoder.struct(kind.storage, known, "")
    except _Undecodable as refused:
        raise undecodable(kind, str(refused)) from refused
    return {"kind": kind.kind, "apiVersion": kind.api_version, **clean}, decoder.unknown


@dataclass
class _Decoder:
    unknown: list[str] = field(default_factory=list)

    def struct(self, name: str, value: Any, at: str) -> Object:
        """A value of a named type. It is read in its own order, as faults are told so, and kept in the type's."""
        fields = types()[name]
        read: Object = {}
        for key, found in value.items():
            spot = fields.get(key)
            if spot is None:
                # An object within another says what it is, as the one around it does.
                if not (at and key in ("apiVersion", "kind") and "metadata" in fields):
                    self.unknown.append(_join(at, key))
            elif found is not None:
                read[key] = self._value(spot.type, found, _join(at, key), f"{name}.")
        kept = {}
        for spot in fields.values():
            if spot.name in read:
                new = read[spot.name]
                if new or spot.keeps_zero or spot.always or spot.holds:
                    kept[spot.name] = new
            elif spot.always:
                kept[spot.name] = self._absent(spot.type)
        return kept

    def _absent(self, type_: str) -> Any:
        return self.struct(type_, {}, "") if _is_struct(type_) else _ZERO.get(type_)

    def _value(self, type_: str, value: Any, at: str, owner: str) -> Any:
        match type_[0]:
            case "*":
                return value
            case "[":
                _expect(value, list, f"[]{_go(type_[1:-1])}", at, owner)
                return [self._item(type_[1:-1], item, f"{at}[{i}]", owner) for i, item in enumerate(value)]
            case "{":
                _expect(value, dict, f"map[string]{_go(type_[1:-1])}", at, owner)
                of = type_[1:-1]
                return {k: self._item(of, v, f"{at}.{k}" if _is_struct(of) else at, owner) for k, v in value.items()}
        if _is_struct(type_):
            _expect(value, dict, _go(type_), at, owner)
            return self.struct(type_, value, at)
        return _SCALARS[type_](value, at, owner)

    def _item(self, type_: str, value: Any, at: str, owner: str) -> Any:
        return self._absent(type_) if value is None else self._value(type_, value, at, owner)


def _is_struct(type_: str) -> bool:
    return len(type_) > 1 and type_[0].isupper()


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _go(type_: str) -> str:
    """A type as Go's decoder names it."""
    if type_[0] == "[":
        return f"[]{_go(type_[1:-1])}"
    if type_[0] == "{":
        return f"map[string]{_go(type_[1:-1])}"
    return f"v1.{type_}" if _is_struct(type_) else _GO.get(type_, type_)


def _expect(value: Any, wanted: type | tuple[type, ...], go: str, at: str, owner: str) -> None:
    if isinstance(value, wanted) and not (isinstance(value, bool) and wanted is not bool):
        return
    path = "".join(part.partition("[")[0] + "." for part in at.split(".")).rstrip(".")
    raise _Undecodable(f"json: cannot unmarshal {_word(value)} into Go struct field {owner}{path} of type {go}")


def _word(value: Any) -> str:
    words = {bool: "bool", str: "string", list: "array", dict: "object"}
    return words.get(type(value), "number")


def _scalar(wanted: type | tuple[type, ...], go: str) -> Callable[[Any, str, str], Any]:
    def check(value: Any, at: str, owner: str) -> Any:
        _expect(value, wanted, go, at, owner)
        return value

    return check


def _quantity(value: Any, _at: str, _owner: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Undecodable(_QUANTITY)
    try:
        return canonical(value)
    except QuantityError as error:
        raise _Undecodable(_QUANTITY) from error


def _bytes(value: Any, at: str, owner: str) -> str:
    _expect(value, str, "[]uint8", at, owner)
    try:
        return base64.b64encode(base64.b64decode(value, validate=True)).decode()
    except binascii.Error as error:
        raise _Undecodable("illegal base64 data at input byte 0") from error


_SCALARS: dict[str, Callable[[Any, str, str], Any]] = {
    "s": _scalar(str, "string"),
    "t": _scalar(str, "string"),
    "m": _scalar(str, "string"),
    "i": _scalar(int, "int32"),
    "b": _scalar(bool, "bool"),
    "f": _scalar((int, float), "float64"),
    "x": _scalar((int, str), "intstr.IntOrString"),
    "q": _quantity,
    "y": _bytes,
}
