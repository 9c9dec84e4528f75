"""Secrets are taken out of whatever they stand in; what only looks like one stays."""

from __future__ import annotations

import json
import time

import pytest
import yaml

from canaries import CANARIES, HARMLESS, LOWER, WORD, Canary
from kubemend.kube.redaction import HIDDEN, redacted, text

each = pytest.mark.parametrize("canary", CANARIES, ids=[c.kind for c in CANARIES])


def test_there_are_more_than_forty_kinds() -> None:
    assert len({c.kind for c in CANARIES}) == len(CANARIES) > 40
    assert all(c.secret in c.text for c in CANARIES)


@each
def test_a_secret_is_hidden_in_a_text(canary: Canary) -> None:
    assert canary.secret not in text(canary.text)
    assert HIDDEN in text(canary.text)


@each
def test_a_secret_is_hidden_in_the_middle_of_a_log(canary: Canary) -> None:
    log = f"2026-11-21T16:31:22Z INFO starting\n{canary.text}\n2026-11-21T16:31:23Z INFO ready on :8080\n"
    shown = text(log)
    assert canary.secret not in shown
    assert shown.startswith("2026-11-21T16:31:22Z INFO starting\n")
    assert shown.endswith("INFO ready on :8080\n")


@each
def test_a_secret_is_hidden_in_json_in_a_text_which_is_json_still(canary: Canary) -> None:
    shown = text(json.dumps({"message": canary.text, "after": [1, {"x": True}]}))
    assert canary.secret not in shown
    assert json.loads(shown)["after"] == [1, {"x": True}]


@each
def test_what_is_shown_as_yaml_is_yaml_still(canary: Canary) -> None:
    shown = text(yaml.safe_dump(redacted({"message": canary.text, "zzz": [1, {"x": True}]}), width=10_000))
    assert canary.secret not in shown
    assert yaml.safe_load(shown)["zzz"] == [1, {"x": True}]


@each
def test_a_secret_is_hidden_anywhere_in_an_object(canary: Canary) -> None:
    shown = redacted({"a": [{"b": {"note": canary.text}}], "c": (canary.text,), "args": ["-c", canary.text]})
    assert canary.secret not in json.dumps(shown)


@pytest.mark.parametrize("line", HARMLESS)
def test_what_only_looks_like_a_secret_stays(line: str) -> None:
    assert text(line) == line


SOURCES = [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}]
VOLUMES = [
    {"name": "s", "secret": {"secretName": "db", "items": [{"key": "password", "path": "token"}]}},
    {"name": "p", "projected": {"sources": SOURCES}},
]
ENV = [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pw"}}}]
CONTAINER = {"env": ENV, "envFrom": [{"secretRef": {"name": "db"}}], "image": "r:5000/web@sha256:" + "a" * 64}
SPEC = {"automountServiceAccountToken": True, "imagePullSecrets": [{"name": "registry"}], "volumes": VOLUMES}
META = {"name": "web", "uid": "cd77a5a3-9dea-474b-8639-8bc79825c0b5", "labels": {"token": "no"}}
OBJECT = {"apiVersion": "v1", "kind": "Pod", "metadata": META, "spec": {**SPEC, "containers": [CONTAINER]}}


def test_where_a_secret_is_kept_is_no_secret() -> None:
    assert redacted(OBJECT) == OBJECT


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "Secret", "metadata": {}, "data": {"a": WORD}, "stringData": {"b": WORD}},
        {"kind": "SecretList", "items": [{"metadata": {"name": "x"}, "data": {"a": WORD}}]},
        {"type": "Opaque", "data": {"a": WORD}},
        {"type": "kubernetes.io/tls", "data": {"a": WORD}},
        {"body": {"stringData": {"a": WORD}}},
        {"env": [{"name": "API_TOKEN", "value": WORD}]},
        {"headers": [{"Name": "X-Api-Key", "Value": WORD}]},
        {"tags": [{"key": "password", "value": WORD}]},
        {"args": ["--password", WORD]},
        {"args": ["--api-token", WORD, "x"]},
        {"tokens": [WORD, WORD]},
        {"password": 123456789},
        {"apiKey": WORD},
        {"clientSecret": WORD},
        {"auth": {"basic": {"password": WORD}}},
        {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": f'{{"x":"{WORD}"}}'}},
        {"config.yaml": f"db:\n  password: {WORD}\n"},
        {"x.example/db-password": LOWER},
    ],
    ids=json.dumps,
)
def test_a_secret_is_known_by_its_place(value: dict[str, object]) -> None:
    before = json.dumps(value)
    shown = json.dumps(redacted(value))
    assert WORD not in shown
    assert LOWER not in shown
    assert "123456789" not in shown
    assert json.dumps(value) == before


def test_json_of_absurd_depth_is_a_text_like_any_other() -> None:
    deep = "[" * 900 + '{"token": "' + WORD + '"}' + "]" * 900
    assert WORD not in text(deep)


SLOW = (
    "a-", "a", "password", "token:", "token: |\n a\n", '"', "'", "eyJ", "a://", "-----BEGIN PRIVATE KEY-----", "--a-",
    "= ", "name: ", "login ", "mysql ", "curl ", "a:1:", " ", "\\", "$2y$", "cookie", "key=", "x: token ",
    "stringData: {",
)  # fmt: skip


@pytest.mark.parametrize("piece", SLOW, ids=ascii)
def test_no_text_makes_it_slow(piece: str) -> None:
    """Linear: a text of 64 KiB made to be hard is done at once, and a much longer one doesn't take much longer."""
    began = time.process_time()
    text(piece * ((64 << 10) // len(piece)))
    assert time.process_time() - began < 1.5
