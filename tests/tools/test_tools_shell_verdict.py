"""What a command may do, judged before anything is done with it."""

from __future__ import annotations

import string

import pytest
import shell_commands as table
from hypothesis import given, settings
from hypothesis import strategies as st

from kubemend.tools.shell.script import NotPlain, plain
from kubemend.tools.shell.verdict import Class, judge_bash, judge_kubectl

KUBECTL = [(c, Class.READ) for c in table.READ]
KUBECTL += [(c, Class.WRITE) for c in table.WRITE] + [(c, Class.REFUSED) for c in table.REFUSED]
BASH = [(c, Class.READ) for c in table.BASH_READ] + [(c, Class.CONTAINED) for c in table.BASH_CONTAINED]
BASH += [(c, Class.WRITE) for c in table.BASH_WRITE] + [(c, Class.REFUSED) for c in table.BASH_REFUSED]


@pytest.mark.parametrize(("command", "expected"), KUBECTL, ids=[ascii(c[:60]) for c, _ in KUBECTL])
def test_kubectl_is_judged(command: str, expected: Class) -> None:
    found = judge_kubectl(command)
    assert (found.is_, bool(found.why)) == (expected, True), found.why


@pytest.mark.parametrize(("command", "expected"), BASH, ids=[ascii(c[:60]) for c, _ in BASH])
def test_bash_is_judged(command: str, expected: Class) -> None:
    found = judge_bash(command)
    assert (found.is_, bool(found.why)) == (expected, True), found.why


def test_the_table_is_long_and_says_nothing_twice() -> None:
    assert len(KUBECTL) >= 300
    assert len({c for c, _ in KUBECTL}) == len(KUBECTL)
    assert len({c for c, _ in BASH}) == len(BASH)


SHELL = st.text(alphabet=string.ascii_letters + string.digits + " \t\n'\"\\$`|&;<>(){}[]*?~#!=-.,:/@%^+_é", max_size=40)


@given(SHELL)
@settings(max_examples=400, deadline=None)
def test_nothing_added_to_a_write_makes_a_read_of_it(added: str) -> None:
    for command in (f"kubectl delete pod web {added}", f"kubectl delete{added}", f"{added} kubectl delete pod web"):
        assert judge_kubectl(command).is_ is not Class.READ


@given(SHELL)
@settings(max_examples=400, deadline=None)
def test_a_plain_command_has_the_words_that_bash_would_give_it(added: str) -> None:
    """Quoted again and parsed again, the words are the same: nothing is hidden between them."""
    import shlex

    try:
        words = plain(f"kubectl get {added}")
    except NotPlain:
        return
    assert words[:2] == ("kubectl", "get") or added.startswith("\\\n")
    if all(w.isprintable() for w in words):
        assert plain(shlex.join(words)) == words
