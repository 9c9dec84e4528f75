"""Objects in Kubernetes' protobuf form: kubectl sends those that it makes itself so (`kubectl create`, `auth can-i`).

The field numbers stand in `types.txt`. Only reading is needed: what is sent back is JSON, which every client takes.
"""

from __future__ import annotations

import base64
import json
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from kubemend.lab.api import Object
from kubemend.lab.apiserver.schema import types
from kubemend.lab.apiserver.status import bad_request

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\0"

Wire = int | bytes
Message = dict[int, list[Wire]]


def parsed(body: bytes) -> Object:
    """The object in a body: the magic number, then runtime.Unknown (type, raw message). Raises `ApiError` (400)."""
    if not body.startswith(_MAGIC):
        raise bad_request("the object provided is unrecognized: expected the prefix of a protobuf body")
    try:
        envelope = _message(body[len(_MAGIC) :])
        head = _message(_bytes(envelope[1][0]))
        version, kind = (_text(head.get(n, [b""])[0]) for n in (1, 2))
        if kind not in types():
            raise bad_request(f'no kind "{kind}" is registered for version "{version}"')
        return {"apiVersion": version, "kind": kind, **_object(kind, _message(_bytes(envelope[2][0])))}
    except (IndexError, KeyError, ValueError, struct.error) as error:
        raise bad_request("the object provided is unrecognized: not a message of its type") from error


def _message(data: bytes) -> Message:
    """A message's fields by number, as they stand on the wire."""
    found: Message = defaultdict(list)
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        match key & 7:
            case 0:
                value, at = _varint(data, at)
                found[key >> 3].append(value)
            case 1:
                found[key >> 3].append(data[at : at + 8])
                at += 8
            case 2:
                size, at = _varint(data, at)
                if at + size > len(data):
                    raise ValueError("a field ends beyond its message")
                found[key >> 3].append(data[at : at + size])
                at += size
            case _:
                raise ValueError("an unknown wire type")
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _object(type_: str, message: Message) -> Object:
    told: Object = {}
    for spot in types()[type_].values():
        place = message
        for number in spot.numbers[:-1]:
            place = _message(_bytes(place[number][0])) if place.get(number) else {}
        if wires := place.get(spot.numbers[-1]):
            told[spot.name] = _field(spot.type, wires)
    return told


def _field(type_: str, wires: list[Wire]) -> Any:
    if type_[0] == "[":
        return [_field(type_[1:-1], [wire]) for wire in wires]
    if type_[0] == "{":
        return dict(_entries(type_[1:-1], wires))
    wire = wires[-1]
    return _SCALARS[type_](wire) if type_ in _SCALARS else _object(type_, _message(_bytes(wire)))


def _entries(type_: str, wires: list[Wire]) -> Iterator[tuple[str, Any]]:
    for wire in wires:
        entry = _message(_bytes(wire))
        yield _text(entry.get(1, [b""])[0]), _field(type_, entry.get(2) or [b""])


def _bytes(wire: Wire) -> bytes:
    if isinstance(wire, int):
        raise ValueError("a number where a message is due")  # noqa: TRY004 (a fault of the data)
    return wire


def _text(wire: Wire) -> str:
    return _bytes(wire).decode()


def _integer(wire: Wire) -> int:
    if not isinstance(wire, int):
        raise ValueError("a message where a number is due")  # noqa: TRY004 (a fault of the data)
    return wire - (1 << 64) if wire >= 1 << 63 else wire


def _float(wire: Wire) -> float:
    value: float = struct.unpack("<d", _bytes(wire))[0]
    return value


def _quantity(wire: Wire) -> str:
    return _text(_message(_bytes(wire)).get(1, [b"0"])[0])


def _int_or_string(wire: Wire) -> int | str:
    told = _message(_bytes(wire))
    return _text(told.get(3, [b""])[0]) if told.get(1, [0])[0] == 1 else _integer(told.get(2, [0])[0])


def _time(wire: Wire) -> str | None:
    """Seconds and nanoseconds; an empty message is no time."""
    told = _message(_bytes(wire))
    if not told:
        return None
    moment = datetime.fromtimestamp(_integer(told.get(1, [0])[0]), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _raw(wire: Wire) -> Any:
    raw = _bytes(_message(_bytes(wire)).get(1, [b"null"])[0])
    return json.loads(raw)


_SCALARS: Final[dict[str, Callable[[Wire], Any]]] = {
    "s": _text,
    "i": _integer,
    "b": bool,
    "f": _float,
    "q": _quantity,
    "x": _int_or_string,
    "t": _time,
    "m": _time,
    "y": lambda wire: base64.b64encode(_bytes(wire)).decode(),
    "*": _raw,
}
