"""Errors: what an answer stands for, and what may be shown of it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubemend.cluster import errors
from kubemend.cluster.backoff import Backoff, full_jitter
from kubemend.model.errors import KubemendError


def test_importing_the_errors_does_not_bring_the_http_library():
    code = "import kubemend.cluster.errors, kubemend.cluster.connection, sys; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_error_has_a_code_of_its_own_and_an_exit_status():
    def below(cls: type) -> list[type]:
        return [cls, *(c for s in cls.__subclasses__() for c in below(s))]

    classes = below(errors.ClusterError)
    assert len({c.code for c in classes}) == len(classes)
    assert all(issubclass(c, KubemendError) and c.code == c.code.lower() for c in classes)
    assert errors.ConfigError.exit_status == 2
    assert {errors.Unreachable.exit_status, errors.Unauthorized.exit_status, errors.Forbidden.exit_status} == {3}


def test_a_status_gives_its_message_reason_and_causes():
    causes = [{"reason": "FieldValueInvalid", "message": "too long", "field": "spec.name"}]
    body = {"kind": "Status", "message": "is invalid", "reason": "Invalid", "details": {"name": "a", "causes": causes}}
    error = errors.refusal(422, json.dumps(body).encode(), where="PATCH /x")
    assert isinstance(error, errors.Invalid)
    assert (error.message, error.reason, error.status, error.where) == ("is invalid", "Invalid", 422, "PATCH /x")
    assert error.causes == (errors.Cause("FieldValueInvalid", "too long", "spec.name"),)


def test_the_status_may_say_when_to_come_back():
    body = {"kind": "Status", "code": 429, "reason": "TooManyRequests", "details": {"retryAfterSeconds": 3}}
    assert errors.refusal(429, json.dumps(body).encode(), where="x").retry_after == 3


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"{", b"[]", b'{"kind":"Pod"}', b'{"kind":"Status","details":5}', b'{"kind":"Status"}']
)
def test_any_body_of_an_error_makes_an_error(body: bytes):
    error = errors.refusal(500, body, where="GET /x")
    assert isinstance(error, errors.ServerError)
    assert error.message


def test_a_long_status_message_is_cut():
    body = json.dumps({"kind": "Status", "message": "spec: " * 5000, "code": 422}).encode()
    assert len(errors.refusal(422, body, where="x").message) <= errors.MESSAGE + 1


@given(st.text(), st.text(alphabet="abcXYZ0123456789-_.", min_size=32, max_size=300))
def test_an_excerpt_is_short_and_shows_no_token(before: str, token: str):
    shown = errors.excerpt(f"{before} Bearer {token} after")
    assert len(shown) <= errors.EXCERPT + 1
    assert token not in shown
    assert "\n" not in shown


@given(st.integers(0, 10_000))
def test_a_pause_stays_within_its_bounds(attempt: int):
    assert 0 <= full_jitter(attempt, base=0.5, cap=30) <= min(30, 0.5 * 2 ** min(attempt, 40))


def test_pauses_grow_to_the_cap_and_begin_anew_after_a_success():
    backoff = Backoff(base=1, cap=8)
    pauses = [backoff.next() for _ in range(6)]
    assert all(step / 2 <= p <= step for p, step in zip(pauses, [1, 2, 4, 8, 8, 8], strict=True))
    backoff.reset()
    assert backoff.next() <= 1
    assert backoff.next(floor=100) >= 101
