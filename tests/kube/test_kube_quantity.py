"""Quantities: Kubernetes' grammar, exactness, and the way back to text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.quantity import QuantityError, add, format_bytes, format_cores, parse, to_bytes, to_cores

LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("007", "7"),
        ("+1.5", "1.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("100n", "0.0000001"),
        ("100u", "0.0001"),
        ("250m", "0.25"),
        ("2k", "2000"),
        ("3M", "3000000"),
        ("1G", "1e9"),
        ("1T", "1e12"),
        ("1P", "1e15"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("1Ti", "1099511627776"),
        ("1Pi", "1125899906842624"),
        ("0.5Ei", "576460752303423488"),
        ("12e6", "12000000"),
        ("12E+6", "12000000"),
        ("5e-3", "0.005"),
        ("-1.5Ki", "-1536"),
    ],
)
def test_a_quantity_is_read_in_base_units(text, value):
    assert parse(text) == Decimal(value)


def test_e_alone_is_exa_and_with_digits_an_exponent():
    assert (parse("1E"), parse("1E3"), parse("1e3")) == (10**18, 1000, 1000)


def test_numbers_of_a_manifest_on_disk_are_quantities_too():
    assert (parse(2), parse(0.1), parse(1e-07)) == (2, Decimal("0.1"), Decimal("1e-7"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "+",
        ".",
        "Ki",
        "1K",
        "1ki",
        "1mi",
        "1i",
        "1e",
        "1e+",
        "1e1.5",
        "1.1.1",
        "1..",
        "--1",
        "1+1",
        "٣",
        "1e1000",
        "nan",
    ],
)
def test_what_is_no_quantity_is_refused_with_its_text(text):
    with pytest.raises(QuantityError, match="is no quantity") as refused:
        parse(text)
    assert repr(text) in refused.value.message


@pytest.mark.parametrize("value", [True, float("nan"), float("inf")])
def test_a_value_of_another_type_is_refused(value):
    with pytest.raises(QuantityError):
        parse(value)


def test_a_long_text_is_cut_in_the_refusal():
    with pytest.raises(QuantityError) as refused:
        parse("x" * 10_000)
    assert len(refused.value.message) < 100


@pytest.mark.parametrize(("text", "nanos"), [("0.1n", 1), ("1.5n", 2), ("-0.1n", -1), ("1.0000000001", 1_000_000_001)])
def test_what_is_finer_than_a_nano_is_rounded_away_from_zero(text, nanos):
    assert parse(text) * 10**9 == nanos


@pytest.mark.parametrize("text", ["1e100", "9e999", "16Ei", "9223372036854775808", "9" * 500])
def test_a_quantity_is_capped_at_the_largest_int64(text):
    assert parse(text) == LARGEST
    assert parse("-" + text) == -LARGEST


def test_bytes_are_rounded_up_to_whole_ones():
    assert (to_bytes("1.5"), to_bytes("1m"), to_bytes("64Mi"), to_bytes("0")) == (2, 1, 67108864, 0)


def test_cores_are_a_decimal():
    assert to_cores("250m") == Decimal("0.25")


def test_a_whole_value_prints_as_plain_digits_and_a_fraction_without_trailing_zeros():
    assert (str(parse("1k")), str(parse("1500m"))) == ("1000", "1.5")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (1, "1"),
        (1000, "1000"),
        (1024, "1Ki"),
        (268435456, "256Mi"),
        (1610612736, "1536Mi"),
        (-2048, "-2Ki"),
        (2**60, "1Ei"),
    ],
)
def test_bytes_take_the_largest_suffix_that_is_exact(amount, text):
    assert format_bytes(amount) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0"), ("0.25", "250m"), ("2", "2"), ("1.5", "1500m"), ("0.0001", "1m"), ("-0.5", "-500m")],
)
def test_cores_are_written_in_whole_millicores(amount, text):
    assert format_cores(Decimal(amount)) == text


def test_adding_keeps_what_only_one_side_names():
    assert add({"cpu": "250m", "memory": "1Ki"}, {"cpu": Decimal(1), "pods": 2}) == {
        "cpu": Decimal("1.25"),
        "memory": 1024,
        "pods": 2,
    }


@given(st.integers(-LARGEST, LARGEST))
def test_bytes_survive_the_way_through_text(amount):
    assert to_bytes(format_bytes(amount)) == amount


@given(st.integers(-(10**12), 10**12))
def test_millicores_survive_the_way_through_text(milli):
    cores = Decimal(milli) / 1000
    assert to_cores(format_cores(cores)) == cores


@given(
    st.integers(0, 10**9),
    st.sampled_from([("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9)]),
)
def test_a_suffix_and_its_exponent_mean_the_same(number, unit):
    suffix, exponent = unit
    assert parse(f"{number}{suffix}") == parse(f"{number}e{exponent}") == Decimal(f"{number}e{exponent}")


@given(st.text(alphabet="0123456789.+-eEKMGTPEinumk ", max_size=8))
def test_any_text_is_either_a_quantity_within_bounds_or_refused(text):
    try:
        value = parse(text)
    except QuantityError:
        return
    assert abs(value) <= LARGEST
    assert value == 0 or abs(value) >= Decimal("1e-9")
