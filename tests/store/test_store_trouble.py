"""No ledger, no write: whatever is wrong with the ledger, nothing reaches the cluster and the user is told what to do.

What reached the cluster is what the practice cluster's API server noted, not what the program says.
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from store_bench import GOOD, bench, break_it, image, older, restored, shop, written
from store_troubles import TROUBLES, Trouble, fill, locked, small_disk

from kubemend.lab.cluster import PracticeCluster
from kubemend.model.repair import OPEN, State
from kubemend.store import database
from kubemend.store.errors import StoreError
from kubemend.store.ledger import open_ledger

COMMANDS = {
    "fix": ("fix", "deployment/web", "-n", "shop", "--allow-changes", "--yes"),
    "watch": ("watch", "-n", "shop", "--auto-fix"),
    "undo": ("undo", "r00000000", "--allow-changes"),
}
each_trouble = pytest.mark.parametrize("trouble", TROUBLES, ids=lambda t: t.name)


async def kubemend(command: str, store: Path, folder: Path, *, limit: int = 0) -> tuple[int | None, str, str]:
    def narrow() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    ran = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kubemend", *COMMANDS[command], "--kubeconfig", str(folder / "kubeconfig"),
        "--store", str(store), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL, preexec_fn=narrow,
    )  # fmt: skip
    out, err = await ran.communicate()
    return ran.returncode, out.decode(), err.decode()


@pytest.mark.timeout(400)
@each_trouble
async def test_with_an_unusable_ledger_no_command_writes_and_each_says_what_to_do(
    trouble: Trouble, tmp_path: Path
) -> None:
    async with shop(tmp_path) as cluster:
        await break_it(cluster)
        path = restored(older()[0], tmp_path)
        await _upgraded(path, tmp_path, of=cluster)
        with ExitStack() as stack:
            store = stack.enter_context(contextmanager(trouble.make)(path))
            ran = await asyncio.gather(*(kubemend(c, store, tmp_path, limit=trouble.limit) for c in trouble.commands))
            for command, (status, out, err) in zip(trouble.commands, ran, strict=True):
                told = f"{command}: {status}\n{out}\n{err}"
                assert status == 4, told
                assert f"error[{trouble.code}]:" in err, told
                assert f"where: {store}" in err, told
                assert "hint: " in err, told
                assert "Traceback" not in err, told
        assert written(cluster) == []


async def _upgraded(path: Path, folder: Path, *, of: PracticeCluster) -> None:
    """A ledger of this program that has met this cluster."""
    async with open_ledger(path):
        pass
    name = of.store.find("Namespace", "", "kube-system")
    assert name is not None
    with closing(sqlite3.connect(path)) as held:
        for table in ("repairs", "holds"):
            held.execute(f"UPDATE {table} SET cluster = ?", (name["metadata"]["uid"],))
        held.execute("PRAGMA journal_mode=DELETE")
        held.commit()


@pytest.mark.timeout(120)
async def test_with_a_usable_ledger_the_same_command_does_write(tmp_path: Path) -> None:
    async with shop(tmp_path) as cluster:
        await break_it(cluster)
        status, out, err = await kubemend("fix", tmp_path / "new" / "ledger.db", tmp_path)
        assert (status, image(cluster)) == (0, GOOD), out + err
        assert written(cluster) == ["patch deployments web 200"]


# --- trouble that begins in the middle of a repair


@contextmanager
def _filled(path: Path) -> Iterator[None]:
    ballast = fill(path.parent)
    yield
    ballast.unlink()


Begin = Callable[[Path], object]
LATER = {"locked": (locked, "store-locked"), "full": (_filled, "store-full")}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("trouble", LATER)
async def test_a_write_that_can_not_be_announced_is_not_sent_and_the_repair_goes_on_later(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, code = LATER[trouble]
    monkeypatch.setattr(database, "BUSY_S", 0.2)
    async with shop(tmp_path) as cluster:
        await break_it(cluster)
        with small_disk(tmp_path / "disk") as folder, ExitStack() as stack:
            async with bench(cluster, tmp_path, folder / "ledger.db") as made:
                intend = made.guard._ledger.repairs.intend

                async def spoilt(*args, **kwargs):
                    stack.enter_context(spoil(folder / "ledger.db"))
                    return await intend(*args, **kwargs)

                monkeypatch.setattr(made.guard._ledger.repairs, "intend", spoilt)
                with pytest.raises(StoreError) as failed:
                    await made.guard.carry_out(await made.guard.propose(made.plan, incident="i", actor="t"), actor="t")
                assert failed.value.code == code
                assert written(cluster) == []
                stack.close()
            await _resumed(cluster, tmp_path, folder / "ledger.db")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("trouble", LATER)
async def test_a_write_whose_outcome_can_not_be_noted_is_found_later_and_not_sent_again(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, code = LATER[trouble]
    monkeypatch.setattr(database, "BUSY_S", 0.2)
    async with shop(tmp_path) as cluster:
        await break_it(cluster)
        with small_disk(tmp_path / "disk") as folder, ExitStack() as stack:
            async with bench(cluster, tmp_path, folder / "ledger.db") as made:
                made.hands.after = lambda: stack.enter_context(spoil(folder / "ledger.db"))
                with pytest.raises(StoreError) as failed:
                    await made.guard.carry_out(await made.guard.propose(made.plan, incident="i", actor="t"), actor="t")
                assert failed.value.code == code
                assert written(cluster) == ["patch deployments web 200"]
                stack.close()
            await _resumed(cluster, tmp_path, folder / "ledger.db")


async def _resumed(cluster: PracticeCluster, folder: Path, path: Path) -> None:
    """The next process finds the ledger usable again and brings the repair to its end, with one write in all."""
    async with bench(cluster, folder, path) as again:
        (ended,) = await again.guard.resume(dead=lambda _holder, _beat: True)
        assert (ended.state, image(cluster)) == (State.SUCCEEDED, GOOD), ended.why
        assert written(cluster) == ["patch deployments web 200"]
        assert await again.guard._ledger.repairs.list(states=OPEN) == []
        assert await again.guard._ledger.audit.broken_at() is None
