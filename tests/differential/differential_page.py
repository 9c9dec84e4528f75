"""docs/differences.md, made from the data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from differential_compare import Known, known
from differential_talks import AREAS, STORIES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "differences.md"
HEAD = """\
# Where the practice cluster differs from Kubernetes

<!-- Made by `python tests/differential/differential_run.py --write` from differential_known.toml; change it there. -->

The practice cluster (`kubemend lab up`) is a small Kubernetes of our own. Two conversations keep it honest. Each
request of the first is sent to its API server and to a real one (Kubernetes 1.34), and the answers (status code,
headers, whole body) must be equal. The second tells stories to both, with controllers, scheduler and node stand-ins at
work, and compares what they come to. `make differential` holds both and prints how many answers are equal.

Taken out on both sides is only what two clusters can't share: times, addresses, generated names. In the first
conversation identities and versions of objects are numbered in the order in which they come up, so a write that makes
no new version on one side must make none on the other; in the second, how many writes it took doesn't count.

Every request that kubemend itself sends (area `product`) is answered equally. Elsewhere these differences are known.
A difference that is not listed fails the tests, and so does one that is listed and no longer there.
"""


def page() -> str:
    """The page as it should be."""
    return "\n".join([HEAD, *_areas(), "## Known differences", "", *_listed(known())])


def _areas() -> Iterator[str]:
    for word, talks in (("of the API", AREAS), ("of living clusters", STORIES)):
        counts = {area: sum(not step.act for step in steps) for area, steps in talks.items()}
        yield from (f"| conversation {word} | requests |", "|---|---:|")
        yield from (f"| {area} | {count} |" for area, count in counts.items())
        yield from (f"| all | {sum(counts.values())} |", "")


def _listed(found: list[Known]) -> Iterator[str]:
    for one in found:
        where = ", ".join(f"`{s}`" for s in one.steps)
        yield from (f"### {one.title}", "", one.reason, "", f"Seen in {where}.", "")
