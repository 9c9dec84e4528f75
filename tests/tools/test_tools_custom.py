"""Tools that people add in YAML files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tools_world import Everything

from kubemend.engine import catalogue
from kubemend.model.access import Risk
from kubemend.model.errors import InvalidInput, KubemendError
from kubemend.tools.custom import Loaded, configured, load

sandboxed = pytest.mark.skipif(
    shutil.which("bwrap") is None and not os.environ.get("CI"), reason="bubblewrap is not installed"
)
LIST = """
- name: count_words
  description: Count words
  command: wc -w
  command_desc: Arguments of wc
  is_interactive: false
- name: pods
  description: Look at pods.
  command: kubectl get pods
"""
TOOLS = """
tools:
  - name: log_search
    description: Find a pattern in the file of programs
    command: grep
    args: ["-c", "${pattern}", "${file}"]
    timeout: 5s
    parameters:
      - {name: pattern, description: What to look for, required: true}
      - {name: file, description: Where, default: /usr/share/doc/base-files/README}
  - name: pods_by_state
    command: bash
    args: ["-c", "kubectl get pods -n shop --no-headers | awk '{print $3}' | sort | uniq -c"]
  - name: greet
    command: printenv
    args: [GREETING]
    environment: {GREETING: "${HOME_OF_GREETING}"}
"""


def loaded(tmp_path: Path, text: str) -> Loaded:
    (tmp_path / "tools.yaml").write_text(text)
    return load([tmp_path], catalogue.tools())


async def call(tools: Loaded, name: str, **arguments: Any) -> Any:
    tool = tools.tools[name]
    cluster: Any = None  # what runs in the sandbox has no use for it
    return await tool.function(cluster, **tool.bind(arguments))


def test_upstreams_list_gives_tools_that_take_a_command(tmp_path: Path) -> None:
    made = loaded(tmp_path, LIST)
    assert set(made.tools) == {"count_words", "pods"}
    tool = made.tools["count_words"]
    assert (tool.summary, tool.risk, tool.module) == ("Count words.", Risk.READ, "custom")
    assert tool.schema["properties"]["command"]["description"] == "Arguments of wc"
    assert made.tools["pods"].risk is Risk.HIGH
    assert made.warnings == ()


def test_the_guides_form_gives_tools_with_parameters(tmp_path: Path) -> None:
    tool = loaded(tmp_path, TOOLS).tools["log_search"]
    assert set(tool.schema["properties"]) == {"pattern", "file"}
    assert tool.schema["required"] == ["pattern"]
    assert tool.within_s == 15


@sandboxed
async def test_they_run_in_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME_OF_GREETING", "hello-from-the-file")
    monkeypatch.setenv("SECRET_OF_THE_HOST", "canary")
    made = loaded(tmp_path, LIST + "- {name: all, command: env}\n- {name: shadow, command: cat /etc/shadow}\n")
    assert (await call(made, "count_words", command="/script")).stdout == "0 /script\n"
    assert "canary" not in (await call(made, "all", command="")).stdout
    assert (await call(made, "shadow", command="")).exit_code == 1
    guide = loaded(tmp_path, TOOLS)
    assert (await call(guide, "log_search", pattern="a", file="/script")).stdout == "0\n"
    assert (await call(guide, "greet")).stdout == "<redacted>\n"


@pytest.mark.parametrize("words", ["; id", "$(id)", "`id`", "| sh", "> x", "a\nid", "a\u202eb", "&& id", "<(id)"])
async def test_the_words_of_a_call_are_arguments_and_no_script(tmp_path: Path, words: str) -> None:
    with pytest.raises(KubemendError) as refused:
        await call(loaded(tmp_path, LIST), "count_words", command=words)
    assert refused.value.code == "command-refused"


async def test_a_parameter_is_no_flag(tmp_path: Path) -> None:
    with pytest.raises(KubemendError, match="flag"):
        await call(loaded(tmp_path, TOOLS), "log_search", pattern="--file=/etc/shadow")


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ('{name: x, command: bash, args: ["-c", "systemctl restart ${s}"], parameters: [{name: s}]}', "is code"),
        ('{name: x, command: python3, args: ["-c", "print(${s})"], parameters: [{name: s}]}', "is code"),
        ('{name: x, command: awk, args: ["${s}", f], parameters: [{name: s}]}', "is code"),
        ('{name: x, command: "a | b"}', "a pipeline"),
        ('{name: x, command: "a; b"}', "more than one command"),
        ('{name: x, command: "${s}", parameters: [{name: s}]}', "a variable"),
        ("{name: x, command: curl, network: true}", "risk: read"),
        ("{name: x, command: a, environment: {KUBECONFIG: /x}}", "no cluster"),
        ("{name: x, command: a, folders: [/]}", "no folder"),
        ("{name: x, command: a, folders: [../x]}", "no folder"),
        ("{name: x, command: a, timeout: soon}", "no span"),
        ("{name: X-y, command: a}", "name of a tool"),
        ("{name: x}", "no command"),
        ("{name: kubectl, command: a}", "one of that name"),
        ("{name: x, command: a, args: ['${nope}']}", "no parameter nope"),
        ("{name: x, command: a, args: ['${class}'], parameters: [{name: class}]}", "name of a parameter"),
    ],
)
def test_what_can_not_be_done_safely_is_left_out_with_the_reason(tmp_path: Path, entry: str, why: str) -> None:
    made = loaded(tmp_path, f"- {entry}\n- {{name: good, command: 'true'}}\n")
    assert list(made.tools) == ["good"]
    assert [why in w for w in made.warnings] == [True], made.warnings


def test_unknown_keys_are_told_with_what_was_meant(tmp_path: Path) -> None:
    made = loaded(tmp_path, "tools:\n- {name: x, comand: a, command: b, working_directory: /x}\nmore: 1\n")
    told = "\n".join(made.warnings)
    assert "no key 'comand'; did you mean command?" in told
    assert "no key 'more'" in told
    assert "working_directory is not used" in told


def test_what_the_page_shows_can_be_loaded(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "custom-tools.md").read_text()
    made = loaded(tmp_path, page.partition("```yaml\n")[2].partition("```")[0])
    assert set(made.tools) == {"pods_by_state", "find_in_docs"}
    assert made.warnings == ()


def test_a_missing_file_is_an_error_only_when_somebody_named_it(tmp_path: Path) -> None:
    assert configured({}, {"XDG_CONFIG_HOME": str(tmp_path)}).tools == {}
    with pytest.raises(InvalidInput, match="no such file"):
        configured({}, {"KUBEMEND_CUSTOM_TOOLS": str(tmp_path / "none.yaml")})
    (tmp_path / "kubemend").mkdir()
    (tmp_path / "kubemend" / "tools.yaml").write_text(LIST)
    assert set(configured({}, {"XDG_CONFIG_HOME": str(tmp_path)}).tools) == {"count_words", "pods"}


@sandboxed
async def test_kubectl_in_them_is_judged_as_everywhere(everything: Everything, tmp_path: Path) -> None:
    made = loaded(tmp_path, LIST + "- {name: k, command: kubectl}\n")
    gateway = everything.gateway
    gateway.tools = {**gateway.tools, **made.tools, **loaded(tmp_path, TOOLS).tools}
    seen = await gateway.call("pods", {"command": "-n shop -o name"}, actor="t")
    assert seen.ok, seen.error
    assert "pod/crasher" in seen.data["stdout"]
    counted = await gateway.call("pods_by_state", {}, actor="t")
    assert "Running" in counted.data["stdout"]
    for words, code in (("delete pod crasher -n shop", "approval-required"), ("get pods --as=root", "command-refused"),
                        ("exec crasher -- sh", "command-refused")):  # fmt: skip
        refused = await gateway.call("k", {"command": words}, actor="t")
        assert refused.error is not None
        assert refused.error.code == code
