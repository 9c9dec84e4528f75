"""Who may come in: keys, loopback names, addresses to listen on."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubemend.model.errors import InvalidInput
from kubemend.surfaces.cli.serving import Door
from kubemend.surfaces.threshold import Keys, is_loopback, keys_in, new_key, place


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1"])
def test_loopback_has_many_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "localhost.example", "127.0.0.1.example", "10.0.0.1", "128.0.0.1"]
)
def test_nothing_else_is_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_a_key_file_has_a_key_a_line_with_or_without_a_name() -> None:
    text = "# who may call\nalice  aaaaaaaaaaaaaaaaaaaa  # until May\n\nbbbbbbbbbbbbbbbbbbbb\n"
    assert keys_in(text) == {"aaaaaaaaaaaaaaaaaaaa": "alice", "bbbbbbbbbbbbbbbbbbbb": "key"}


def test_keys_are_known_by_their_whole_text_and_no_key_is_kept() -> None:
    key = new_key()
    keys = Keys({key: "alice"})
    assert keys.name_of(key) == "alice"
    assert [keys.name_of(k) for k in ("", key[:-1], key + "x", key.upper())] == [None] * 4
    assert key not in str(vars(keys))
    assert key != new_key()


def test_a_key_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(InvalidInput, match="less than 16"):
        Keys({"secret": "alice"})


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("localhost:9080", ("localhost", 9080)),
        ("0.0.0.0", ("0.0.0.0", 1)),
        ("[::1]:80", ("::1", 80)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_an_address_to_listen_on_is_host_and_port(listen: str, found: tuple[str, int]) -> None:
    assert place(listen, port=1) == found


@pytest.mark.parametrize("listen", ["", ":80", "localhost:port", "http://localhost", "localhost:99999", "a/b", "u@h:1"])
def test_anything_else_is_no_address(listen: str) -> None:
    with pytest.raises(InvalidInput):
        place(listen, port=1)


def test_off_loopback_a_key_is_made_and_told_once_when_there_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBEMEND_KEY", raising=False)

    async def app(*_: object) -> None: ...

    assert not Door().behind(app, "localhost").keys
    assert capsys.readouterr().err == ""
    guarded = Door().behind(app, "0.0.0.0")
    assert not guarded.local
    key = capsys.readouterr().err.split()[-1]
    assert guarded.keys.name_of(key) == "made-at-start"


def test_keys_come_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(*_: object) -> None: ...

    monkeypatch.setenv("KUBEMEND_KEY", "e" * 20)
    (tmp_path / "keys").write_text("alice " + "a" * 20)
    assert Door().behind(app, "localhost").keys.name_of("e" * 20) == "environment"
    assert Door(key_file=tmp_path / "keys").behind(app, "localhost").keys.name_of("a" * 20) == "alice"
    with pytest.raises(InvalidInput):
        Door(key_file=tmp_path / "none").behind(app, "localhost")
