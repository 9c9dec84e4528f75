"""The reference pages: made from the code, complete, and caught when they are stale."""

import importlib.util
from pathlib import Path

import pytest

from kubemend.engine import catalogue
from kubemend.surfaces.cli.commands import COMMANDS
from kubemend.surfaces.cli.exits import Exit

SCRIPT = Path(__file__).parents[2] / "docs" / "generate.py"


@pytest.fixture
def generate(tmp_path, monkeypatch):
    """The script, writing into a folder of its own."""
    spec = importlib.util.spec_from_file_location("docs_generate", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DOCS", tmp_path)
    return module


def test_pages_are_stale_until_written_and_again_after_an_edit(generate):
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    page = generate.DOCS / "reference" / "rules.md"
    page.write_text(page.read_text() + "one more word\n")
    assert generate.main(["--check"]) == 1


def test_every_rule_strategy_command_and_exit_status_has_its_place(generate):
    generate.main([])
    pages = {p.name: p.read_text() for p in (generate.DOCS / "reference").iterdir()}
    for rule in catalogue.rules():
        assert f"## {rule.code} {rule.id}" in pages["rules.md"]
    for strategy in catalogue.strategies():
        assert f"## {strategy.id}" in pages["strategies.md"]
    for command in COMMANDS:
        assert f"## kubemend {command.path}\n" in pages["cli.md"]
    for status in Exit:
        assert f"| {int(status)} | {status.meaning} |" in pages["cli.md"]


def test_links_between_pages_lead_somewhere(generate):
    generate.main([])
    for name in ("rules.md", "strategies.md"):
        text = (generate.DOCS / "reference" / name).read_text()
        for link in text.split("](")[1:]:
            page, _, anchor = link.partition(")")[0].partition("#")
            headings = (generate.DOCS / "reference" / (page or name)).read_text()
            assert anchor in {
                h.removeprefix("## ").lower().replace(" ", "-") for h in headings.splitlines() if h.startswith("## ")
            }


def test_every_tool_has_its_chapter_with_rights_parameters_answers_and_an_example(generate):
    generate.main([])
    folder = generate.DOCS / "tools"
    index = (folder / "README.md").read_text()
    for tool in catalogue.tools().values():
        assert f"[{tool.name}]({tool.module}.md#{tool.name})" in index
        page = (folder / f"{tool.module}.md").read_text()
        chapter = page.partition(f"## {tool.name}\n")[2].partition("\n## ")[0]
        assert tool.summary in chapter
        assert f"kubemend tools run {tool.name}" in chapter
        for name in tool.schema["properties"]:
            assert f"| `{name}`" in chapter
        for access in tool.needs:
            assert f"`{access.verb} {access.resource}" in chapter
