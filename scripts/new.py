# ruff: noqa: INP001 - a script, not a package
"""Starts a rule or a strategy: a file that already works, and its cases. No existing file is touched.

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

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "src" / "kubemend" / "rules"

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


class Refused(Exception):
    """The unit can't be started under this name or code; the message says what to ask for instead."""


def rule(name: str, code: str, root: Path = ROOT) -> dict[Path, str]:
    """The files of a new rule. `name`: FOLDER/kebab-name (`pod/disk-full`); `code`: empty for the next free one."""
    rules = root / RULES.relative_to(ROOT)
    folders = sorted(p.parent.name for p in rules.glob("*/__init__.py"))
    folder, _, fault = name.partition("/")
    if folder not in folders or not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", fault):
        raise Refused(f"NAME is FOLDER/kebab-name, with a folder out of {', '.join(folders)}; got {name!r}")
    function = fault.replace("-", "_")
    values = {"code": code or free_code(rules, folder), "function": function}
    taken = codes(rules)
    if values["code"] in taken:
        raise Refused(f"{values['code']} is {taken[values['code']]}; without CODE the next free one is taken")
    cases = root / "tests" / "rules" / "cases" / fault
    return {
        rules / folder / f"{function}.py": RULE.substitute(values),
        cases / "fires-example.yaml": FIRES,
        cases / "silent-example.yaml": SILENT,
    }


def codes(rules: Path) -> dict[str, str]:
    """Every code in use, with the file that uses it."""
    return {
        code: file.relative_to(rules).as_posix()
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


def main(arguments: list[str] | None = None) -> int:
    """Start a unit and print its files; exit status 2 with the reason when it can't be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("unit", choices=("rule",))
    parser.add_argument("name")
    parser.add_argument("code", nargs="?", default="")
    asked = parser.parse_args(arguments)
    try:
        files = rule(asked.name, asked.code)
        write(files)
    except Refused as refusal:
        print(f"new {asked.unit}: {refusal}", file=sys.stderr)
        return 2
    for file in files:
        print(file.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
