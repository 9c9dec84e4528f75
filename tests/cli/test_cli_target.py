"""KIND/NAME as people type it."""

from datetime import UTC, datetime

import pytest

from kubemend.model.errors import KubemendError
from kubemend.model.objects import KINDS, Deployment, Meta
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot, Unread
from kubemend.surfaces.cli.target import SHORT, kind_named, parse, present

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEB = Deployment(metadata=Meta(name="web", namespace="shop", uid="u1"))


@pytest.mark.parametrize(
    "word", ["deployment/web", "Deployment/web", "deployments/web", "deploy/web", "deployment.apps/web"]
)
def test_kinds_are_known_by_name_plural_and_short_name(word):
    assert parse(word, "shop") == Ref("Deployment", "shop", "web", "apps")


def test_a_cluster_scoped_object_gets_no_namespace():
    assert parse("node/n1", "shop") == Ref("Node", "", "n1")


def test_every_short_name_is_of_a_known_kind():
    assert set(SHORT.values()) <= set(KINDS)


@pytest.mark.parametrize("word", ["web", "deployment/", "/web", "deployment/web/x", ""])
def test_what_is_not_kind_and_name_is_refused(word):
    with pytest.raises(KubemendError) as caught:
        parse(word, "shop")
    assert caught.value.code == "target-invalid"


def test_a_mistyped_kind_names_the_one_that_was_meant():
    with pytest.raises(KubemendError) as caught:
        kind_named("deploymnt")
    assert (caught.value.code, caught.value.hint) == ("kind-unknown", "did you mean deployment?")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("checkout", None),
        ("wbe", "did you mean web?"),
        ("frontent", "did you mean frontend?"),
        ("api", "there is one in blog"),
    ],
)
def test_an_object_that_is_not_there_names_the_nearest(asked, hint):
    others = [Deployment(metadata=Meta(name=n, namespace=ns)) for n, ns in (("frontend", "shop"), ("api", "blog"))]
    with pytest.raises(KubemendError) as caught:
        present(Ref("Deployment", "shop", asked, "apps"), Snapshot.of([WEB, *others], taken_at=NOW))
    assert (caught.value.code, caught.value.hint) == ("object-unknown", hint)


def test_an_object_of_a_kind_that_was_not_read_is_not_called_absent():
    unread = [Unread("Deployment", "forbidden")]
    with pytest.raises(KubemendError, match="could not be read"):
        present(WEB.ref, Snapshot.of([], taken_at=NOW, kinds=[Deployment], unread=unread))
