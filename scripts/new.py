# ruff: noqa: INP001 - a script, not a package
"""Starts a rule, a strategy or a tool: a file that already works, and its cases. No existing file is touched.

What is written is a tiny true unit that passes the contract tests of its kind. Its author changes the condition, the
page and the cases; at no moment is the tree broken.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
KEBAB = re.compile(r"[a-z]+(-[a-z0-9]+)*")
HOW_READ = ("taken_at", "unread", "not_asked")
"""What an Expect document says of how its world was read (see tests/worlds.py)."""

RULE = Template('''"""$code: describe the fault in three words."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Pod
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot


@rule("$code", severity=Severity.WARNING, reads=(Pod,))
def $function(snapshot: Snapshot) -> Iterator[Observation]:
    """Name the fault in one sentence.

    ## What it means
    What is the case in the cluster, by which facts it is known, and when it is not reported.

    ## Why it matters
    What users of the workload notice, now or later.

    ## What to do
    What a person would change, and what they would look at first.
    """
    for pod in snapshot.all(Pod):
        if pod.status.phase == "Failed":
            yield Observation(about=pod.ref, says=f"pod {pod.name} failed", evidence=(cite(pod, "status", "phase"),))
''')

FIRES = """\
# Say here what is wrong in this world.
kind: Expect
about: Pod shop/web
message: pod web failed
---
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  containers: [{name: app, image: a:1}]
status: {phase: Failed}
"""

SILENT = """\
# Say here what looks alike, and why it is well.
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  containers: [{name: app, image: a:1}]
status: {phase: Running}
"""

STRATEGY = Template('''"""Describe the repair in three words."""

from __future__ import annotations

from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis, cite
from kubemend.model.plan import Declined, Verify
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, patch, strategy

MARK = "kubemend.dev/$name"


@strategy(
    cures=("$code",),
    risk=Risk.MEDIUM,
    reads=(),
    needs={$access},
)
def $function(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Say what is changed in one sentence.

    ## Safety
    What this can't break, when it declines, and what undo puts back.
    """
    found = snapshot.find(diagnosis.target)
    if found is None:
        return Declined(f"{diagnosis.target} is no longer there")
    if MARK in found.metadata.annotations:
        return Declined(f"{found.ref} is marked already")
    return Proposal(
        changes=(patch(found, {"metadata": {"annotations": {MARK: "seen"}}}),),
        reason="say what the plan rests on, with numbers",
        confidence=0.1,  # so low that nothing is done by itself before its author has thought about it
        verify=Verify(healthy=(found.ref,)),
        requires=(cite(found, "metadata", "name"),),
    )
''')

TOOL = Template('''"""Tool: say in three words what it shows."""

from __future__ import annotations

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Pod
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.page import Page, page
from kubemend.tools.words import After, Limit, Scope


class Row(Struct, frozen=True):
    """Say what one row is."""

    name: str
    namespace: str
    phase: str


@tool(risk=Risk.READ, needs={Access("list", "pods")}, examples=({"namespace": "shop"},))
async def $name(
    cluster: Look, *, namespace: Scope = None, limit: Limit = 50, continue_: After = ""
) -> Page[Row]:
    """Say in one sentence what it answers.

    Say when to use it, and what to ask next.
    """
    return page(await cluster.list(Pod, namespace), _row, limit=limit, after=continue_)


def _row(pod: Pod) -> Row:
    return Row(pod.name, pod.namespace, pod.status.phase)
''')

TOOL_TEST = Template('''"""What `$name` answers."""

from __future__ import annotations

from tools_world import Everything


async def test_it_answers_what_is_there(everything: Everything) -> None:
    answer = await everything.gateway.call("$name", {"namespace": "shop"}, actor="test")
    assert answer.ok, answer.error
    assert {row["namespace"] for row in answer.data} == {"shop"}
''')
SNAKE = re.compile(r"[a-z]+(_[a-z0-9]+)*")


class Refused(Exception):
    """The unit can't be started under this name or code; the message says what to ask for instead."""


def rule(name: str, code: str, root: Path = ROOT) -> dict[Path, str]:
    """The files of a new rule. `name`: FOLDER/kebab-name (`pod/disk-full`); `code`: empty for the next free one."""
    rules = _rules(root)
    folders = sorted(p.parent.name for p in rules.glob("*/__init__.py"))
    folder, _, fault = name.partition("/")
    if folder not in folders or not KEBAB.fullmatch(fault):
        raise Refused(f"NAME is FOLDER/kebab-name, with a folder out of {', '.join(folders)}; got {name!r}")
    function = fault.replace("-", "_")
    values = {"code": code or free_code(rules, folder), "function": function}
    taken = codes(rules)
    if values["code"] in taken:
        raise Refused(f"{values['code']} is {taken[values['code']].stem}; without CODE the next free one is taken")
    cases = _cases(root, "rules", fault)
    return {
        rules / folder / f"{function}.py": RULE.substitute(values),
        cases / "fires-example.yaml": FIRES,
        cases / "silent-example.yaml": SILENT,
    }


def strategy(name: str, code: str, root: Path = ROOT) -> dict[Path, str]:
    """The files of a new strategy. `code`: of the rule whose finding it cures; its first case becomes ours."""
    rules = _rules(root)
    taken = codes(rules)
    if not KEBAB.fullmatch(name):
        raise Refused(f"NAME is kebab-name, as in raise-memory-limit; got {name!r}")
    if code not in taken:
        raise Refused(f"CODE is that of the rule to cure, one of {', '.join(sorted(taken))}; got {code!r}")
    fires = sorted(_cases(root, "rules", taken[code].stem.replace("_", "-")).glob("fires-*.yaml"))
    if not fires:
        raise Refused(f"{code} has no case that fires yet; a strategy starts from one")
    world = fires[0]
    about, target, access = _diagnosed(code, world)
    expect = yaml.safe_load(world.read_text(encoding="utf-8").partition("\n---\n")[0])
    values = {"name": name, "function": name.replace("-", "_"), "code": code, "access": access}
    patches = {target: {"metadata": {"annotations": {f"kubemend.dev/{name}": "seen"}}}}
    plans = {"kind": "Expect", "code": code, **{k: expect[k] for k in HOW_READ if k in expect}, "patches": patches}
    gone = {"given": True, "about": about, "target": target, "facts": {}}
    declines = {"kind": "Expect", "code": code, "finding": gone, "why": "is no longer there"}
    cases = _cases(root, "remedies", name)
    return {
        root / "src" / "kubemend" / "remedies" / f"{values['function']}.py": STRATEGY.substitute(values),
        cases / "plans-example.yaml": f"{_yaml(plans)}---\n{world.read_text(encoding='utf-8').partition('---')[2][1:]}",
        cases / "declines-gone.yaml": _yaml(declines),
    }


def tool(name: str, code: str = "", root: Path = ROOT) -> dict[Path, str]:
    """The files of a new tool. `name`: MODULE/snake_name (`resources/list_kubernetes_leases`)."""
    tools = root / "src" / "kubemend" / "tools"
    modules = sorted(p.parent.name for p in tools.glob("*/__init__.py"))
    module, _, called = name.partition("/")
    if module not in modules or not SNAKE.fullmatch(called):
        raise Refused(f"NAME is MODULE/snake_name, with a module out of {', '.join(modules)}; got {name!r}")
    if code:
        raise Refused("a tool has no code")
    if taken := [p for p in tools.glob(f"*/{called}.py") if p.parent.name != module]:
        raise Refused(f"{taken[0].parent.name} has a tool of that name")
    return {
        tools / module / f"{called}.py": TOOL.substitute(name=called),
        root / "tests" / "tools" / f"test_tools_{called}.py": TOOL_TEST.substitute(name=called),
    }


def codes(rules: Path) -> dict[str, Path]:
    """Every code in use, with the file that uses it."""
    return {
        code: file
        for file in sorted(rules.glob("*/*.py"))
        for code in re.findall(r'@rule\(\s*"(KM\d{3})"', file.read_text(encoding="utf-8"))
    }


def free_code(rules: Path, folder: str) -> str:
    """The first code of the folder's hundred above those in use; a gap is a retired code, not a free one."""
    said = re.search(r"\(KM(\d)xx\)", (rules / folder / "__init__.py").read_text(encoding="utf-8"))
    if said is None:
        raise Refused(f"rules/{folder}/__init__.py names no hundred such as (KM1xx): give CODE")
    used = [int(code[3:]) for code in codes(rules) if code.startswith(f"KM{said[1]}")]
    number = max(used, default=0) + 1
    if number > 99:
        raise Refused(f"the codes KM{said[1]}xx are used up: give CODE")
    return f"KM{said[1]}{number:02d}"


def write(files: Mapping[Path, str]) -> None:
    """Write new files; nothing at all when one of them exists."""
    there = [str(file) for file in files if file.exists()]
    if there:
        raise Refused(f"exists already: {', '.join(there)}")
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _diagnosed(code: str, case: Path) -> tuple[str, str, str]:
    """What the rule finds first in a case: about, target, and the permission that a patch of the target needs."""
    from kubemend.engine.catalogue import rules  # noqa: PLC0415 - only a strategy needs the whole catalogue
    from kubemend.model.objects import kind_of  # noqa: PLC0415
    from worlds import load  # type: ignore[import-not-found] # noqa: PLC0415

    found = next(f for r in rules() if r.code == code for f in r.findings(load(case).snapshot))
    kind = kind_of(found.target)
    if kind is None:
        raise Refused(f"{code} targets a {found.target.kind}, which no strategy can patch")
    words = ["patch", kind.plural, *([kind.group] if kind.group else [])]
    return str(found.about), str(found.target), "Access({})".format(", ".join(f'"{w}"' for w in words))


def _rules(root: Path) -> Path:
    return root / "src" / "kubemend" / "rules"


def _cases(root: Path, room: str, unit: str) -> Path:
    return root / "tests" / room / "cases" / unit


def _yaml(document: Mapping[str, object]) -> str:
    return yaml.safe_dump(document, sort_keys=False, default_flow_style=False)


def main(arguments: list[str] | None = None) -> int:
    """Start a unit and print its files; exit status 2 with the reason when it can't be."""
    units = {"rule": rule, "strategy": strategy, "tool": tool}
    parser = argparse.ArgumentParser(description="Start a rule, a strategy or a tool.")
    parser.add_argument("unit", choices=sorted(units))
    parser.add_argument("name")
    parser.add_argument("code", nargs="?", default="")
    asked = parser.parse_args(arguments)
    try:
        files = units[asked.unit](asked.name, asked.code)
        write(files)
    except Refused as refusal:
        print(f"new {asked.unit}: {refusal}", file=sys.stderr)
        return 2
    for file in files:
        print(file.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
