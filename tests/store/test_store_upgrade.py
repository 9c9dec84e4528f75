"""Ledgers of older programs: brought up to date whole or not at all, and their open repairs come to an end."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from store_bench import bench, image, live_of, next_version, next_versions, older, restored, rows, shop, written

from kubemend.model.repair import OPEN, State
from kubemend.store import database
from kubemend.store.database import Database
from kubemend.store.ledger import open_ledger

VICTIM = Path(__file__).with_name("store_victim.py")
STEPS = frozenset({"steps"})
each_ledger = pytest.mark.parametrize("dump", older(), ids=lambda p: p.stem)


def version(path: Path) -> str | None:
    with closing(sqlite3.connect(path)) as held:
        if not held.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchall():
            return None
        found: str = held.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        return found


def tables(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as held:
        assert held.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return dict(held.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("start", ["new", "older"])
async def test_killed_at_any_step_of_a_migration_the_ledger_is_as_before_and_the_next_open_completes_it(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = restored(older()[0], tmp_path) if start == "older" else None
    (folder := tmp_path / "killed").mkdir()
    versions = next_versions(tmp_path)
    command = [sys.executable, str(VICTIM), str(source or "-"), str(folder), str(versions)]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    steps = ran.stdout.splitlines()
    assert "COMMIT" in steps
    assert any("ALTER TABLE repairs" in s for s in steps)
    assert any("UPDATE alembic_version" in s for s in steps)
    monkeypatch.setattr(database, "VERSIONS", versions)
    whole = tmp_path / "whole.db"
    if source is not None:
        shutil.copy(source, whole)
    await (await Database.open(whole)).close()
    for step, what in enumerate(steps, start=1):
        path = folder / f"{step}.db"
        if source is not None:
            assert (version(path), rows(path)) == ("0001", rows(source)), what
        else:
            assert version(path) is None, what
        await (await Database.open(path)).close()
        assert (version(path), tables(path), rows(path)) == (next_version(), tables(whole), rows(whole)), what


@pytest.mark.timeout(120)
async def test_several_processes_that_open_an_older_ledger_at_once_migrate_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = restored(older()[0], tmp_path)
    monkeypatch.setattr(database, "VERSIONS", next_versions(tmp_path))
    opened = await asyncio.gather(*(asyncio.to_thread(_open_in_a_loop_of_its_own, path) for _ in range(4)))
    assert opened == [None] * 4
    with closing(sqlite3.connect(path)) as held:
        assert held.execute("SELECT count(*) FROM extras").fetchone() == (1,)


def _open_in_a_loop_of_its_own(path: Path) -> None:
    async def once() -> None:
        await (await Database.open(path)).close()

    asyncio.run(once())


@each_ledger
async def test_an_upgrade_keeps_every_row_and_the_trail(
    dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = restored(dump, tmp_path)
    # What is known of its writes is kept in other words by now.
    before = rows(path, without=STEPS)
    assert [r for r in before["repairs"] if r[6] in set(OPEN)], "the dump has no open repair"
    monkeypatch.setattr(database, "VERSIONS", next_versions(tmp_path))
    async with open_ledger(path) as ledger:
        assert await ledger.audit.broken_at() is None
    after = rows(path, without=STEPS)
    assert version(path) == next_version()
    # Newer tables begin empty.
    assert after == {table: before.get(table, []) for table in after}


@pytest.mark.timeout(120)
@each_ledger
async def test_an_open_repair_of_an_older_program_is_resumed_to_its_end(
    dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = restored(dump, tmp_path)
    monkeypatch.setattr(database, "VERSIONS", next_versions(tmp_path))
    undoing = "rolling-back" in dump.stem
    sent = "sent-and-not-noted" in dump.stem or dump.stem.endswith(("verifying", "rolling-back"))
    async with shop(tmp_path) as cluster:
        cluster.store.put("Deployment", live_of(dump))
        async with bench(cluster, tmp_path, path) as made:
            (ended,) = await made.guard.resume(dead=lambda _holder, _beat: True)
            assert ended.state is (State.ROLLED_BACK if undoing else State.SUCCEEDED), ended.why
            assert image(cluster) == f"registry.lab/web:1.{0 if undoing else 1}"
            unfinished = dump.stem.endswith("rolling-back") or "announced-and-not-sent" in dump.stem or not sent
            assert len(written(cluster)) == int(unfinished), written(cluster)
        async with open_ledger(path) as ledger:
            assert await ledger.repairs.list(states=OPEN) == []
            assert await ledger.audit.broken_at() is None
        with closing(sqlite3.connect(path)) as held:
            assert held.execute("SELECT count(*) FROM holds").fetchone() == (0,)
