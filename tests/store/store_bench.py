"""A repair on the practice cluster with a ledger that can be spoilt, and ledgers of older programs."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubemend.cluster.connection import connect
from kubemend.cluster.reader import Reader
from kubemend.cluster.writer import Writer
from kubemend.engine import catalogue
from kubemend.engine.guard.hands import Hands
from kubemend.engine.guard.machine import Guard
from kubemend.engine.policy import Mode, Policy
from kubemend.engine.sight import open_sight
from kubemend.lab.cluster import PracticeCluster
from kubemend.model.access import Risk
from kubemend.model.plan import Patch, Plan, Verify
from kubemend.model.ref import Ref
from kubemend.store import database
from kubemend.store.ledger import open_ledger
from kubemend.store.repairs import Limits

LEDGERS = Path(__file__).parent / "ledgers"
"""Dumps of ledgers as earlier programs left them when they died, each with the one object of its open repair."""

PROGRAM = database.VERSIONS
"""The migrations of this program."""

WEB = Ref("Deployment", "shop", "web", "apps")
GOOD, TYPO = "registry.lab/web:1.0", "registry.lab/web:1.o"
Object = dict[str, Any]


def deployment(image: str) -> Object:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": spec,
    }


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[PracticeCluster]:
    """A practice cluster with an empty namespace `shop`, and its kubeconfig as `kubeconfig` in the folder."""
    async with PracticeCluster(1) as cluster:
        (folder / "kubeconfig").write_text(json.dumps(cluster.kubeconfig()))
        await cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        await cluster.until(lambda store: store.find("ServiceAccount", "shop", "default"))
        yield cluster


async def break_it(cluster: PracticeCluster) -> None:
    """A Deployment that worked, and whose new revision names an image that isn't there."""
    made = await cluster.api.create(deployment(GOOD))
    await cluster.until(lambda s: (s.find("Deployment", "shop", "web") or {}).get("status", {}).get("readyReplicas"))
    await cluster.api.patch(made, {"spec": deployment(TYPO)["spec"]})
    await cluster.until(lambda s: any("waiting" in c["state"] for p in s.all("Pod", "shop") for c in _containers(p)))


def _containers(pod: Object) -> list[Object]:
    return pod.get("status", {}).get("containerStatuses") or []


def image(cluster: PracticeCluster) -> str:
    found = cluster.store.find("Deployment", "shop", "web")
    assert found is not None
    held: str = found["spec"]["template"]["spec"]["containers"][0]["image"]
    return held


def written(cluster: PracticeCluster) -> list[str]:
    """Every request for a change that reached the API server and was no trial, by its own log."""
    return [f"{r.verb} {r.resource} {r.name} {r.code}" for r in cluster.server.audit if not r.dry_run]


@dataclass
class Bench:
    guard: Guard
    plan: Plan
    hands: Watched


class Watched(Hands):
    """Hands that call somebody before, and after, what they send."""

    before: Callable[[], None] = staticmethod(lambda: None)
    after: Callable[[], None] = staticmethod(lambda: None)

    async def write(self, change: Any, before: Object | None, *, repair: str, dry_run: bool = False) -> Object:
        if not dry_run:
            self.before()
        made = await super().write(change, before, repair=repair, dry_run=dry_run)
        if not dry_run:
            self.after()
        return made


@asynccontextmanager
async def bench(cluster: PracticeCluster, folder: Path, ledger_path: Path) -> AsyncIterator[Bench]:
    connection = connect(kubeconfig=str(folder / "kubeconfig"))
    async with connection.open() as transport, open_ledger(ledger_path) as ledger:
        reader = Reader(transport)
        async with open_sight(reader, catalogue.kinds(), namespace=None) as sight:
            hands = Watched(reader, Writer(transport, reader))
            guard = Guard(
                cluster="practice", reader=reader, hands=hands, ledger=ledger, sight=sight,
                policy=Policy(mode=Mode.AUTO_FIX, limits=Limits(cooldown_s=0, attempts=99)),
                rules=catalogue.rules(), strategies=catalogue.strategies(), patience_s=0.5,
            )  # fmt: skip
            live = cluster.store.find("Deployment", "shop", "web")
            assert live is not None
            body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": GOOD}]}}}}
            plan = Plan(
                strategy="test", code="KM103", fingerprint="a" * 12, target=WEB, reason="test", risk=Risk.LOW,
                confidence=0.9, changes=(Patch(target=WEB, uid=live["metadata"]["uid"], body=body),),
                verify=Verify(healthy=(WEB,), within_s=30, steady_s=0.3, gone=False),
            )  # fmt: skip
            yield Bench(guard, plan, hands)


# --- older ledgers


def older() -> list[Path]:
    return sorted(LEDGERS.glob("*.sql"))


def restored(dump: Path, folder: Path) -> Path:
    """The ledger of a dump, as a file."""
    path = folder / "ledger.db"
    with closing(sqlite3.connect(path)) as made:
        made.executescript(f"BEGIN;{dump.read_text(encoding='utf-8')}COMMIT;")
    return path


def live_of(dump: Path) -> Object:
    """The object that the dump's repair was at, as it was in the cluster then."""
    line = dump.read_text(encoding="utf-8").splitlines()[2]
    found: Object = json.loads(line.removeprefix("-- "))
    return found


def rows(path: Path, *, without: frozenset[str] = frozenset()) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the tables of schema 0001, by table. without: columns to leave out."""
    tables: dict[str, list[tuple[Any, ...]]] = {}
    with closing(sqlite3.connect(path)) as held:
        for (table,) in held.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if not table.startswith("sqlite_") and table != "alembic_version":
                names = [c[1] for c in held.execute(f"PRAGMA table_info({table})") if c[1] not in {"extra", *without}]
                columns = ", ".join(f'"{n}"' for n in names)
                tables[table] = held.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()
    tables.pop("extras", None)
    return tables


EXTRA = '''"""A revision that exists in this test only: a column with a value for every row, a table, an index."""

import sqlalchemy as sa
from alembic import op

revision = "NEXT"
down_revision = "HEAD"


def upgrade() -> None:
    op.add_column("repairs", sa.Column("extra", sa.Text, nullable=False, server_default=""))
    op.execute("UPDATE repairs SET extra = why")
    op.create_table("extras", sa.Column("id", sa.Integer, primary_key=True), sa.Column("repair", sa.String(16)))
    op.execute("INSERT INTO extras (repair) SELECT id FROM repairs")
    with op.batch_alter_table("holds", recreate="always") as batch:
        batch.alter_column("repair", type_=sa.String(32), existing_nullable=False)
    op.create_index("repairs_by_extra", "repairs", ["extra"])
'''


def next_version() -> str:
    """What the schema of the next program would be called."""
    return f"{max(int(p.stem[1:5]) for p in PROGRAM.glob('v*.py')) + 1:04}"


def next_versions(folder: Path) -> Path:
    """The program's migrations with one more, as a newer program would have."""
    versions = folder / "migrations" / "versions"
    shutil.copytree(PROGRAM.parent, folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    number = next_version()
    (versions / f"v{number}_extra.py").write_text(EXTRA.replace("NEXT", number).replace("HEAD", database.head()))
    return versions
