"""Scenarios: faults and healthy look-alikes as data. Read from `scenarios/`, whose README.md tells their form."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml
from msgspec import UNSET, Struct, UnsetType

from kubemend.lab.api import Object
from kubemend.lab.kinds import BY_KIND
from kubemend.model.errors import InvalidInput, KubemendError

Ground = Literal["practice", "plane", "node"]
Part = Literal["healthy", "past", "fault"]
Permit = Literal["replicas", "probes", "limits", "uids", "privileges", "creates"]
Category = Literal[
    "images",
    "commands",
    "configuration",
    "memory-cpu",
    "probes",
    "scheduling",
    "storage",
    "services",
    "network",
    "rollouts",
    "quota",
    "jobs",
    "nodes",
    "access",
    "admission",
    "init-sidecar",
    "autoscaling",
    "namespaces",
    "combination",
]
GROUNDS: tuple[Ground, ...] = ("practice", "plane", "node")
PREFIXES = ("shop-", "acme-", "eu1-", "team-a-", "my", "pre-prod-", "blue-", "pay-v2-", "x", "the-very-long-")
TEAMS = ("orders", "billing", "search-eu", "ml-prod", "platform", "team-7", "web", "checkout", "data-lake", "qa")


class ScenariosMissing(KubemendError):
    """There is no folder of scenarios."""

    code = "scenarios-missing"


class Find(Struct, frozen=True, forbid_unknown_fields=True):
    """A root cause. code: of the rule. target: the object that a repair must change, as Kind/name."""

    code: str
    target: str


class Keep(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"value": "is", "state": "as", "named": "object"},
):
    """A predicate on a field of one object (Kind/name, JSON pointer) at the end.

    value: what it must be. among: one of these. state: what it was in that state. gone: there must be no such field.
    """

    named: str
    path: str
    value: Any = UNSET
    among: tuple[Any, ...] | UnsetType = UNSET
    state: Literal["healthy", "fault"] | UnsetType = UNSET
    gone: Literal[True] | UnsetType = UNSET


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `scenario.yaml` says; see scenarios/README.md for each key."""

    summary: str
    category: Category
    control: bool = False
    finds: Find | tuple[Find, ...] = ()
    also: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    asks: bool = False
    rolls_back: bool = False
    touches: tuple[str, ...] = ()
    permits: tuple[Permit, ...] = ()
    keeps: tuple[Keep, ...] = ()
    deletes: tuple[str, ...] = ()
    replicas: tuple[int, int] | None = None
    within_s: float = 120.0
    clusters: tuple[Ground, ...] = GROUNDS
    why_not: dict[Ground, str] = {}
    scope: Literal["namespace", "cluster"] = "namespace"

    @property
    def causes(self) -> tuple[Find, ...]:
        """The root causes; none for a control."""
        return (self.finds,) if isinstance(self.finds, Find) else self.finds

    @property
    def mends(self) -> bool:
        """Whether the right end is a repair that holds."""
        return not (self.control or self.asks or self.rolls_back)

    def faults(self) -> Iterator[str]:
        """What is not in order with it."""
        if self.control == bool(self.causes):
            yield "a fault `finds` something, and a control nothing"
        if self.control and (self.repairs or self.asks or self.rolls_back):
            yield "nothing is repaired and nobody asked about a control"
        if self.mends and not self.repairs:
            yield "`repairs` may only be empty with `asks`"
        if unexplained := [g for g in GROUNDS if (g in self.clusters) == (g in self.why_not)]:
            yield f"`why_not` is for the clusters left out, all of them: {', '.join(unexplained)}"
        if self.replicas and not 0 <= self.replicas[0] <= self.replicas[1]:
            yield "`replicas` is [least, most]"
        named = [*(c.target for c in self.causes), *self.touches, *self.deletes, *(k.named for k in self.keeps)]
        for text in named:
            if text.partition("/")[0] not in BY_KIND or not text.partition("/")[2]:
                yield f"{text!r} is not Kind/name of a kind that the practice cluster serves"
        for keep in self.keeps:
            if sum(x is not UNSET for x in (keep.value, keep.among, keep.state, keep.gone)) != 1:
                yield f"{keep.named} {keep.path}: one of `is`, `among`, `as`, `gone`"


class Cast(Struct, frozen=True, kw_only=True):
    """A scenario with one seed's names and numbers put in."""

    name: str
    seed: int
    scenario: Scenario
    namespace: str
    prefix: str
    node: str
    folder: Path
    words: dict[str, str]

    def has(self, part: Part) -> bool:
        """Whether there is such a file."""
        return (self.folder / f"{part}.yaml").is_file()

    def manifests(self, part: Part) -> list[Object]:
        """The objects of one file, those that live in a namespace with theirs; empty when there is no file."""
        path = self.folder / f"{part}.yaml"
        if not path.is_file():
            return []
        return [self._placed(o, path) for o in yaml.safe_load_all(filled(path, self.words)) if o is not None]

    def _placed(self, obj: Object, path: Path) -> Object:
        kind = BY_KIND.get(obj.get("kind", ""))
        if kind is None or kind.api_version != obj.get("apiVersion") or "name" not in obj.get("metadata", {}):
            raise _invalid(
                path, f"{obj.get('apiVersion')} {obj.get('kind')}: no kind of the practice cluster, or no name"
            )
        if (
            not kind.namespaced
            and self.scenario.scope != "cluster"
            and not obj["metadata"]["name"].startswith(self.namespace)
        ):
            raise _invalid(
                path, f"a {kind.kind} is in no namespace: `scope: cluster`, or a name that begins with ${{ns}}"
            )
        placed = {"namespace": self.namespace} if kind.namespaced else {}
        return {**obj, "metadata": {**obj["metadata"], **placed}}


def home() -> Path:
    """The folder of scenarios: in the installed package, or else in the checkout that this package is in."""
    package = Path(str(files("kubemend")))
    for folder in (package / "scenarios", package.parents[1] / "scenarios"):
        if any(folder.glob("*/scenario.yaml")):
            return folder
    raise ScenariosMissing("the scenarios were not installed with kubemend", where=str(package / "scenarios"))


def names(root: Path | None = None) -> list[str]:
    """Of all scenarios, in order."""
    return sorted(p.parent.name for p in (root or home()).glob("*/scenario.yaml"))


def cast(name: str, seed: int = 0, *, nodes: Sequence[str] = (), namespace: str = "", root: Path | None = None) -> Cast:
    """One scenario as a seed has it. nodes: those that take pods, for `${node}`.

    InvalidInput when there is no such scenario (`scenario-unknown`), or it is not in order (`scenario-invalid`).
    """
    folder = (root or home()) / name
    path = folder / "scenario.yaml"
    if not path.is_file():
        raise InvalidInput(
            f"there is no scenario {name!r}", code="scenario-unknown", hint="kubemend lab break lists them"
        )
    dice = random.Random(f"{name}/{seed}")  # noqa: S311 - to vary, not to hide
    words = {"p": "", "ns": namespace or f"s-{name}", "node": nodes[0] if nodes else "node"}
    if seed:
        words["p"] = dice.choice(PREFIXES)
        words["ns"] = namespace or f"{dice.choice(TEAMS)}-{dice.randrange(16**5):05x}"
        words["node"] = dice.choice(nodes) if nodes else "node"
    least, most = _read(path, {**words, "replicas": "1"}).replicas or (0, 0)
    if most:
        words["replicas"] = str(dice.randint(least, most) if seed else least)
    scenario = _read(path, words)
    if scenario.scope != "cluster":
        del words["node"]
    for wrong in scenario.faults():
        raise _invalid(path, wrong)
    return Cast(
        name=name,
        seed=seed,
        scenario=scenario,
        namespace=words["ns"],
        prefix=words["p"],
        node=words.get("node", ""),
        folder=folder,
        words=words,
    )


def filled(path: Path, words: Mapping[str, str]) -> str:
    """A file with its placeholders filled in. InvalidInput for one that it may not use."""
    try:
        return string.Template(path.read_text(encoding="utf-8")).substitute(words)
    except KeyError as error:
        raise _invalid(
            path, f"placeholder ${{{error.args[0]}}}, where only {', '.join(sorted(words))} are known"
        ) from error
    except ValueError as error:
        raise _invalid(path, f"{error}; a literal dollar is $$") from error


def _read(path: Path, words: Mapping[str, str]) -> Scenario:
    text = filled(path, words)
    try:
        return msgspec.convert(yaml.safe_load(text), type=Scenario)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise _invalid(path, str(error)) from error


def _invalid(path: Path, why: str) -> InvalidInput:
    return InvalidInput(why, code="scenario-invalid", where=f"{path.parent.name}/{path.name}")
