"""Hostile words in every text that any tool takes: no request leaves its place, and none but reads is made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from tools_recorder import Recorder
from tools_world import Everything

from kubemend.cluster.reader import Reader
from kubemend.engine import catalogue
from kubemend.model.tool import Tool

HOSTILE = (
    "../../../api/v1/namespaces/kube-system/secrets",
    "..%2f..%2fsecrets",
    "web/../../kube-system/pods/x",
    "web/exec?command=sh",
    "kube-system/secrets?",
    "web#",
    "web?limit=1&watch=true",
    "web,metadata.namespace=kube-system",
    "web)(app in (x",
    "web;id",
    "$(id)",
    "`id`",
    "--as=system:admin",
    "-o=jsonpath-file=/etc/shadow",
    "web\r\nX-Remote-User: admin",
    "web\x00",
    "\u202eweb",
    "*",
    "",
    "{{.x}}",
    "' or 1=1 --",
    "a" * 5000,
)
SAFE_PATH = re.compile(
    r"(?:/[A-Za-z0-9](?:[A-Za-z0-9._:-]|%(?!2[EF]|00|25)[0-9A-F]{2})*|/%(?!2[EF]|00|25)[0-9A-F]{2})+"
)
KEYS = {"labelSelector", "fieldSelector", "limit", "continue", "container", "previous", "tailLines", "sinceSeconds",
        "watch", "resourceVersion", "allowWatchBookmarks", "timeoutSeconds", "sendInitialEvents",
        "resourceVersionMatch"}  # fmt: skip


class Witness(Recorder):
    """Notes every request whole."""

    def __init__(self, transport: Any) -> None:
        super().__init__(transport)
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def _note(self, method: str, path: str, params: Sequence[tuple[str, str]]) -> None:
        self.requests.append((method, path, dict(params)))


def texts(tool: Tool) -> list[str]:
    """The parameters that take a text, or a list of texts."""
    return [n for n, s in tool.schema["properties"].items() if "string" in str(s)]


@pytest.mark.timeout(300)
async def test_hostile_words_stay_where_they_are_put(everything: Everything) -> None:
    witness = Witness(everything.recorder._transport)
    everything.gateway._reader = Reader(witness)  # type: ignore[arg-type]
    tried = 0
    for tool in catalogue.tools().values():
        if tool.at_desk:
            continue
        for name in texts(tool):
            for word in HOSTILE:
                tried += 1
                witness.requests.clear()
                arguments = {**dict(tool.examples[0] if tool.examples else {}), name: word}
                answer = await everything.gateway.call(tool.name, arguments, actor="test")
                assert answer.ok or (answer.error is not None and re.fullmatch(r"[a-z]+(-[a-z]+)*", answer.error.code))
                for request in witness.requests:
                    _held(request, name, word, tool.name)
    assert tried > 500


def _held(request: tuple[str, str, dict[str, str]], name: str, word: str, tool: str) -> None:
    method, path, params = request
    where = (tool, name, word[:40], request)
    review = method == "POST" and path.endswith(("selfsubjectaccessreviews", "selfsubjectrulesreviews"))
    assert method == "GET" or review, where
    assert SAFE_PATH.fullmatch(path), where
    assert ".." not in path, where
    assert set(params) <= KEYS, where
    if word and "selector" not in name and name not in ("command", "continue"):
        assert not any(word in v for k, v in params.items() if k.endswith("Selector")), where
