"""Selectors: what they select, and what their text must look like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.selectors import SelectorError, matches, parse_fields, parse_labels, subset
from kubemend.model.objects.meta import LabelSelector, LabelSelectorRequirement

SHOP = {"app": "shop", "tier": "web", "size": "5"}


def expression(key, operator, *values):
    return LabelSelector(match_expressions=(LabelSelectorRequirement(key, operator, values),))


def test_no_selector_selects_nothing_and_an_empty_one_everything():
    assert not matches(None, SHOP)
    assert matches(LabelSelector(), SHOP)
    assert matches(LabelSelector(), {})


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (LabelSelector(match_labels={"app": "shop"}), True),
        (LabelSelector(match_labels={"app": "shop", "tier": "db"}), False),
        (expression("app", "In", "cart", "shop"), True),
        (expression("gone", "In", ""), False),
        (expression("app", "NotIn", "shop"), False),
        (expression("gone", "NotIn", "shop"), True),
        (expression("app", "Exists"), True),
        (expression("gone", "Exists"), False),
        (expression("app", "DoesNotExist"), False),
        (expression("gone", "DoesNotExist"), True),
    ],
)
def test_a_label_selector_follows_the_set_semantics(selector, selected):
    assert matches(selector, SHOP) is selected


def test_an_operator_that_no_label_selector_has_is_refused():
    with pytest.raises(SelectorError, match="'Gt' is no label selector operator"):
        matches(expression("size", "Gt", "3"), SHOP)


def test_all_expressions_must_hold():
    both = LabelSelector(
        match_labels={"app": "shop"}, match_expressions=(LabelSelectorRequirement("tier", "NotIn", ("web",)),)
    )
    assert not matches(both, SHOP)


def test_a_subset_needs_each_wanted_label_with_its_value():
    assert subset({}, SHOP)
    assert subset({"app": "shop"}, SHOP)
    assert not subset({"app": "shop", "gone": ""}, SHOP)


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("  ", True),
        ("app=shop,tier==web", True),
        ("app!=shop", False),
        ("gone!=x", True),
        ("app in (cart, shop), !gone", True),
        ("app notin (shop)", False),
        ("app,tier", True),
        ("gone", False),
        ("size>4,size<6", True),
        ("size>5", False),
        ("tier>1", False),
        ("gone=", False),
        ("example.com/part in ()", False),
        ("in in (in)", False),
    ],
)
def test_the_text_form_selects_as_kubectl_does(text, selected):
    assert parse_labels(text).matches(SHOP) is selected


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("app=shop,", "expected a label key, found 'the end'"),
        (",app", "expected a label key, found ','"),
        ("app=shop;drop", "'shop;drop' is no label value"),
        ("app=shop&limit=1", "'shop&limit' is no label value"),
        ("app=a=b", "expected ',' or the end, found '='"),
        ("app shop", "expected one of"),
        ("app in shop", "expected '\\('"),
        ("app in (shop", "expected ',' or '\\)'"),
        ("!app=shop", "expected ',' or the end"),
        ("size>big", "expected a whole number"),
        ("-app", "'-app' is no label key"),
        ("A.b/app", "'A.b/app' is no label key"),
        ("a/b/c", "'a/b/c' is no label key"),
        ("app=" + "x" * 64, "is no label value"),
        ("app=sh\u00f6p", "is no label value"),
        ("app=shop\nX-Header: 1", "expected ',' or the end, found 'X-Header:'"),
    ],
)
def test_text_that_is_no_label_selector_is_refused_with_what_is_wrong(text, wrong):
    with pytest.raises(SelectorError, match=wrong) as refused:
        parse_labels(text)
    assert refused.value.where == f"label selector {text!r}"


KEY = st.sampled_from(["app", "tier", "in", "example.com/part"])
VALUE = st.sampled_from(["", "a", "b-1", "in", "7"])
TERM = st.one_of(
    KEY,
    KEY.map("!{}".format),
    st.tuples(KEY, st.sampled_from(["=", "==", "!="]), VALUE).map("".join),
    st.tuples(KEY, st.sampled_from([" in ", " notin "]), st.lists(VALUE, min_size=1, max_size=3)).map(
        lambda t: f"{t[0]}{t[1]}({','.join(t[2])})"
    ),
    st.tuples(KEY, st.sampled_from("<>"), st.integers(0, 9).map(str)).map("".join),
)


@given(st.lists(TERM, max_size=4).map(",".join), st.dictionaries(KEY, VALUE))
def test_a_selector_written_out_selects_the_same(text, labels):
    selector = parse_labels(text)
    assert parse_labels(str(selector)).matches(labels) is selector.matches(labels)


@given(st.text(max_size=12))
def test_whatever_passes_as_a_label_selector_has_no_character_outside_its_alphabet(text):
    try:
        spelled = str(parse_labels(text))
    except SelectorError:
        return
    assert all(c.isascii() and (c.isalnum() or c in "-_./=!<>(), ") for c in spelled)


POD = {
    "metadata": {"name": "web-1", "namespace": "shop"},
    "spec": {"nodeName": "n1", "hostNetwork": True},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("metadata.name=web-1,status.phase!=Failed", True),
        ("metadata.name==web-2", False),
        ("spec.hostNetwork=true", True),
        ("spec.unschedulable=false", True),
        ("status.podIP=", True),
        ("metadata.name.deeper=", True),
    ],
)
def test_a_field_selector_compares_fields_as_text(text, selected):
    assert parse_fields(text).matches(POD) is selected


@pytest.mark.parametrize(
    "text", ["metadata.name", "=x", "metadata..name=x", "a=b=c", "a=b\\", "a b=c", "a=b&c=d=e", "a=b,,c=d"]
)
def test_text_that_is_no_field_selector_is_refused(text):
    with pytest.raises(SelectorError, match="expected path=value") as refused:
        parse_fields(text)
    assert refused.value.where == f"field selector {text!r}"


@given(st.text(max_size=10))
def test_a_value_survives_escaping_in_a_field_selector(value):
    escaped = value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
    selector = parse_fields(f"metadata.name={escaped}")
    assert selector.matches({"metadata": {"name": value}})
    assert parse_fields(str(selector)) == selector
