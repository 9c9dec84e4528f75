"""kubectl's JSONPath; the first rows are the examples of its own documentation, on its own data."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubemend.kube.jsonpath import BadPath, found, rendered

PODS: dict[str, Any] = {
    "kind": "List",
    "items": [
        {"kind": "None", "metadata": {"name": "127.0.0.1", "labels": {"app.io/x": "1"}},
         "status": {"capacity": {"cpu": "4"}, "n": 3, "ready": True,
                    "addresses": [{"type": "LegacyHostIP", "address": "127.0.0.1"}]}},
        {"kind": "None", "metadata": {"name": "127.0.0.2"},
         "status": {"capacity": {"cpu": "8"}, "n": 10, "ready": False,
                    "addresses": [{"type": "LegacyHostIP", "address": "127.0.0.2"},
                                  {"type": "another", "address": "127.0.0.3"}]}},
    ],
    "users": [{"name": "myself", "user": {}}, {"name": "e2e", "user": {"username": "admin", "kind": "x"}}],
}  # fmt: skip

RENDERED = {
    "kind is {.kind}": "kind is List",
    "{.kind}": "List",
    "{['kind']}": "List",
    "{..name}": "127.0.0.1 127.0.0.2 myself e2e",
    "{.items[*].metadata.name}": "127.0.0.1 127.0.0.2",
    "{.users[0].name}": "myself",
    "{.users[-1].name}": "e2e",
    "{.users[-1:].name}": "e2e",
    "{.items[0:1].metadata.name}": "127.0.0.1",
    "{.items[0,1].metadata.name}": "127.0.0.1 127.0.0.2",
    "{.items[*]['metadata.name', 'status.capacity']}": "",
    '{.users[?(@.name=="e2e")].user.username}': "admin",
    "{.items[?(@.status.n>3)].metadata.name}": "127.0.0.2",
    "{.items[?(@.status.ready==true)].metadata.name}": "127.0.0.1",
    "{.items[?(@.metadata.labels)].metadata.name}": "127.0.0.1",
    "{.items[*].metadata.labels.app\\.io/x}": "1",
    "{.items[0].metadata.labels['app.io/x']}": "1",
    "{range .items[*]}[{.metadata.name}, {.status.capacity}] {end}":
        '[127.0.0.1, {"cpu":"4"}] [127.0.0.2, {"cpu":"8"}] ',
    '{range .items[*]}{.metadata.name}{"\\t"}{.status.n}{"\\n"}{end}': "127.0.0.1\t3\n127.0.0.2\t10\n",
    "{range .items[*]}{range .status.addresses[*]}{.address};{end}|{end}": "127.0.0.1;|127.0.0.2;127.0.0.3;|",
    "{.nothing.here[3].at.all}": "",
    "{.items[7].kind}": "",
    "{$.kind}": "List",
    "{@.kind}": "List",
    "no braces": "no braces",
    "": "",
}  # fmt: skip


@pytest.mark.parametrize(("template", "expected"), RENDERED.items(), ids=RENDERED)
def test_a_template_is_filled_in(template: str, expected: str) -> None:
    assert rendered(template, PODS) == expected


@pytest.mark.parametrize("path", [".metadata.name", "metadata.name", "{.metadata.name}", "$.metadata.name"])
def test_a_path_may_leave_its_braces_and_first_dot_out(path: str) -> None:
    assert found(path, PODS["items"][0]) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "template", ["{.a", "{range .items[*]}x", "{end}", "{.items[?(name)]}", "{.items[a b]}", "{range}{end}", "{!}"]
)
def test_what_is_no_path_is_refused(template: str) -> None:
    with pytest.raises(BadPath):
        rendered(template, PODS)


@given(st.text(alphabet="{}[]().*@$?=<>!'\"\\, aname012:-", max_size=30))
@settings(max_examples=500, deadline=None)
def test_no_template_does_worse_than_be_refused(template: str) -> None:
    with suppress(BadPath):
        assert isinstance(rendered(template, PODS), str)
