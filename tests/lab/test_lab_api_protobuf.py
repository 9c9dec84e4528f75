"""Objects in protobuf, as kubectl sends those that it makes itself."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from lab_api_client import CORE, Client

from kubemend.lab.apiserver.protobuf import MEDIA_TYPE, parsed
from kubemend.lab.apiserver.status import ApiError


def varint(value: int) -> bytes:
    value %= 1 << 64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def message(*fields: tuple[int, Any]) -> bytes:
    """A message of (number, value) pairs: text, bytes, whole numbers, floats."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def body(version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\0" + message((1, message((1, version), (2, kind))), (2, raw))


def test_every_kind_of_field_is_read() -> None:
    meta = message((1, "web"), (11, message((1, "app"), (2, "web"))), (8, message((1, 1795252458))), (9, b""))
    limits = message((1, message((1, "memory"), (2, message((1, "1Gi"))))))
    probe = message((1, message((2, message((2, message((1, 1), (3, "http"))))))), (3, 5))
    port = message((3, 8080), (4, "TCP"))
    container = message((1, "main"), (2, "x:1"), (6, port), (8, limits), (10, probe), (3, "sh"), (3, "-c"))
    volume = message((1, "v"), (2, message((6, message((1, "s"), (4, 0))))))
    spec = message((1, volume), (2, container), (4, 30), (11, 0), (25, -5))
    assert parsed(body("v1", "Pod", message((1, meta), (2, spec)))) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web",
            "labels": {"app": "web"},
            "creationTimestamp": "2026-11-21T09:14:18Z",
            "deletionTimestamp": None,
        },
        "spec": {
            "volumes": [{"name": "v", "secret": {"secretName": "s", "optional": False}}],
            "containers": [
                {
                    "name": "main",
                    "image": "x:1",
                    "command": ["sh", "-c"],
                    "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                    "resources": {"limits": {"memory": "1Gi"}},
                    "livenessProbe": {"httpGet": {"port": "http"}, "timeoutSeconds": 5},
                }
            ],
            "terminationGracePeriodSeconds": 30,
            "hostNetwork": False,
            "priority": -5,
        },
    }


def test_bytes_are_kept_as_base64() -> None:
    secret = message((1, message((1, "s"))), (2, message((1, "key"), (2, b"\x00\xff"))), (3, "Opaque"))
    assert parsed(body("v1", "Secret", secret))["data"] == {"key": "AP8="}


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"not protobuf",
        b"k8s\0",
        b"k8s\0\xff",
        body("v1", "Nonsense", b""),
        body("v1", "ConfigMap", b"\x0a\xff"),
        body("v1", "ConfigMap", message((1, 5))),
        body("v1", "ConfigMap", b"\x0b"),
    ],
)
def test_what_is_no_object_is_refused(broken: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        parsed(broken)
    assert refused.value.http == 400


async def test_the_server_takes_it(api: Client) -> None:
    raw = message((1, message((1, "settings"))), (2, message((1, "colour"), (2, "red"))))
    answer = await api.call("POST", f"{CORE}/configmaps", body("v1", "ConfigMap", raw), kind=MEDIA_TYPE)
    assert (answer.code, answer.body["data"]) == (201, {"colour": "red"})
