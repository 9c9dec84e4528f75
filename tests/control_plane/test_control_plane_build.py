"""When the test bed's programs are built anew, and what is said where they can't be."""

from __future__ import annotations

from pathlib import Path

import pytest
from testbed import build


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "cmd").mkdir()
    for name in ("go.mod", "go.sum", "cmd/main.go", "cmd/main_test.go", "README.md"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "cmd/main.go", "cmd/new.go"])
def test_a_changed_source_is_another_build(sources: Path, name: str) -> None:
    before = build.digest(sources)
    (sources / name).write_text("changed")
    assert build.digest(sources) != before


@pytest.mark.parametrize("name", ["cmd/main_test.go", "README.md", "build.py"])
def test_what_does_not_go_into_the_programs_is_no_reason_to_build(sources: Path, name: str) -> None:
    before = build.digest(sources)
    (sources / name).write_text("changed")
    assert build.digest(sources) == before


def test_a_file_that_moves_is_another_build(sources: Path) -> None:
    before = build.digest(sources)
    (sources / "cmd" / "main.go").rename(sources / "main.go")
    assert build.digest(sources) != before


def test_without_go_and_without_a_cache_it_is_said_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    assert build.main() == 1
    assert "there is no Go here" in capsys.readouterr().err


def test_what_is_in_the_cache_needs_no_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    build.folder().mkdir(parents=True)
    for name in build.PROGRAMS:
        (build.folder() / name).touch()
    assert build.main() == 0
    assert capsys.readouterr().out.strip() == str(build.folder())


def test_the_programs_tell_the_version_that_go_mod_names() -> None:
    assert "version.gitVersion=v1.34.4 " in build._link_flags()
    assert "version.gitMinor=34" in build._link_flags()
