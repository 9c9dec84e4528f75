"""One gate for writes: import-linter keeps others from the Writer, this from the transport below it."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "kubemend"


def senders(text: str) -> list[str]:
    """Each call of a transport's `send` in a source text, by whether it says that it changes nothing."""
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    return [
        "review" if any(k.arg == "changes" and ast.unparse(k.value) == "False" for k in c.keywords) else "write"
        for c in calls
        if isinstance(c.func, ast.Attribute) and c.func.attr == "send"
    ]


def test_only_the_writer_sends_changes_to_a_cluster():
    rooms = [p for p in SOURCE.rglob("*.py") if "lab" not in p.relative_to(SOURCE).parts]
    found = {str(p.relative_to(SOURCE)): s for p in rooms if (s := senders(p.read_text()))}
    assert found == {"cluster/reader.py": ["review"], "cluster/writer.py": ["write"]}


def test_a_send_elsewhere_would_be_seen():
    assert senders("async def f(t):\n    await t.send('DELETE', '/x')") == ["write"]


def test_in_the_lab_only_the_hand_of_lab_break_sends_changes():
    lab = SOURCE / "lab"
    found = {str(p.relative_to(lab)): s for p in lab.rglob("*.py") if "write" in (s := senders(p.read_text()))}
    assert found == {"hand.py": ["write", "write"]}


def test_only_the_app_takes_that_hand():
    takers = [str(p.relative_to(SOURCE)) for p in SOURCE.rglob("*.py") if "lab.hand import take" in p.read_text()]
    assert takers == ["app.py"]
