"""What containers used is kept apart by cluster, found by namespace, and forgotten when nobody has it any more."""

from __future__ import annotations

from pathlib import Path

from kubemend.store.ledger import open_ledger
from kubemend.store.usage import FORGET_S

WEB = ("shop", "Deployment", "web", "main")
DB = ("data", "StatefulSet", "db", "main")
NOW = 1_700_000_000.0


async def test_looks_add_up_over_processes_and_clusters_are_kept_apart(tmp_path: Path) -> None:
    for minute in range(3):
        async with open_ledger(tmp_path / "ledger.db") as ledger:
            await ledger.usage("one").learn({WEB: [(0.5, 1e9, 1.0)], DB: [(0.1, 2e9, 0.5)]}, at=NOW + 60 * minute)
    async with open_ledger(tmp_path / "ledger.db") as ledger:
        known = await ledger.usage("one").known("shop")
        assert set(known) == {WEB}
        assert (known[WEB].samples, known[WEB].first_at, known[WEB].last_at) == (3, NOW, NOW + 120)
        assert set(await ledger.usage("one").known()) == {WEB, DB}
        assert await ledger.usage("two").known() == {}


async def test_what_was_not_seen_for_eight_days_is_forgotten(tmp_path: Path) -> None:
    async with open_ledger(tmp_path / "ledger.db") as ledger:
        usage = ledger.usage("one")
        await usage.learn({WEB: [(0.5, 1e9, 1.0)], DB: [(0.1, 2e9, 0.5)]}, at=NOW)
        await usage.learn({WEB: [(0.5, 1e9, 1.0)]}, at=NOW + FORGET_S + 1)
        assert set(await usage.known()) == {WEB}


async def test_a_row_does_not_grow_with_the_number_of_looks(tmp_path: Path) -> None:
    async with open_ledger(tmp_path / "ledger.db") as ledger:
        usage = ledger.usage("one")
        for minute in range(60):
            await usage.learn({WEB: [(0.2 + minute % 7 / 100, 1e9 + minute, 1.0)]}, at=NOW + 60 * minute)
        record = (await usage.known())[WEB]
    assert record.samples == 60
    assert len(record.cpu.weights) <= 8
    assert len(record.memory.weights) <= 2
