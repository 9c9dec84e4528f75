"""Names: slips of the keyboard, and image references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.names import Image, near, split_image, valid_image


@pytest.mark.parametrize(
    ("name", "candidates", "meant"),
    [
        ("app-confg", ["app-config", "db-config"], "app-config"),
        ("app-cofnig", ["app-config"], "app-config"),
        ("web", ["wbe"], "wbe"),
        ("payments-crednetials", ["payments-credentials", "payments-config"], "payments-credentials"),
        ("app-config", ["app-config", "app-confib"], "app-config"),
    ],
)
def test_a_slip_of_the_keyboard_is_recognised(name, candidates, meant):
    assert near(name, candidates) == meant


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("app-config", []),
        ("app-config", ["database"]),
        ("cat", ["bat", "hat"]),
        ("db-1", ["db-2"]),
        ("db", ["db-1"]),
        ("orders-db", ["orders-dev"]),
        ("ab", ["ac"]),
        ("", ["a"]),
    ],
)
def test_what_may_have_been_meant_otherwise_is_left_alone(name, candidates):
    assert near(name, candidates) is None


def test_the_same_candidate_twice_is_not_ambiguous():
    assert near("app-confg", ["app-config", "app-config"]) == "app-config"


NAME = st.text(alphabet="abcde-", min_size=6, max_size=14)


@given(NAME, st.integers(0, 13), st.sampled_from("abcde-"))
def test_one_edit_of_a_name_alone_is_always_near(name, place, letter):
    at = place % len(name)
    for slip in (name[:at] + letter + name[at:], name[:at] + name[at + 1 :], name[:at] + letter + name[at + 1 :]):
        assert near(slip, [name]) == name


@given(NAME, st.lists(NAME, max_size=5))
def test_nearness_does_not_depend_on_the_order_of_candidates(name, candidates):
    assert near(name, candidates) == near(name, candidates[::-1])


@pytest.mark.parametrize(
    ("image", "parts", "host"),
    [
        ("nginx", Image("", "nginx"), "docker.io"),
        ("library/nginx:1.27", Image("", "library/nginx", "1.27"), "docker.io"),
        ("ghcr.io/acme/shop:v2", Image("ghcr.io", "acme/shop", "v2"), "ghcr.io"),
        ("localhost:5000/shop", Image("localhost:5000", "shop"), "localhost:5000"),
        ("localhost/shop", Image("localhost", "shop"), "localhost"),
        ("quay.io/a/b@sha256:" + "0" * 64, Image("quay.io", "a/b", "", "sha256:" + "0" * 64), "quay.io"),
        ("a/b:1@sha256:" + "0" * 64, Image("", "a/b", "1", "sha256:" + "0" * 64), "docker.io"),
        ("Registry/b", Image("Registry", "b"), "Registry"),
    ],
)
def test_an_image_reference_is_taken_apart_as_written(image, parts, host):
    assert split_image(image) == parts
    assert parts.host == host
    assert str(parts) == image
    assert valid_image(image)


@pytest.mark.parametrize(
    "image",
    [
        "",
        "Nginx",
        "nginx:",
        "nginx:la test",
        "nginx:-1",
        "nginx@sha256:12",
        "nginx@md5:" + "0" * 32,
        "nginx:" + "t" * 129,
        "a//b",
        "/a",
        "a/",
        "ghcr.io/Acme/shop",
        "http://ghcr.io/shop",
        "ngi..nx",
        "f" * 64,
        "a/" * 127 + "abc",
    ],
)
def test_a_reference_that_a_runtime_refuses_is_invalid(image):
    assert not valid_image(image)


@given(st.text(alphabet="aB1./:@-_", max_size=20))
def test_taking_any_text_apart_never_fails_and_a_valid_one_can_be_put_together(image):
    parts = split_image(image)
    assert not valid_image(image) or str(parts) == image
