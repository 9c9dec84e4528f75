from __future__ import annotations

import copy
from typing import Any

import pytest

from kubemend.engine.guard.identity import untouched
from kubemend.model.plan import Patch
from kubemend.model.ref import Ref

WEB: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "generation": 1},
    "spec": {"replicas": 2},
}
CHANGE = Patch(target=Ref("Deployment", "shop", "web", "apps"), uid="u1", body={"spec": {"replicas": 3}})


def changed(**metadata: Any) -> dict[str, Any]:
    live = copy.deepcopy(WEB)
    live["metadata"] |= metadata
    return live


@pytest.mark.parametrize(
    "live",
    [
        {**changed(resourceVersion="9"), "status": {"replicas": 2}},
        changed(annotations={"deployment.kubernetes.io/revision": "1"}),
        changed(annotations={"deprecated.daemonset.template.generation": "2"}),
    ],
)
def test_what_servers_and_controllers_write_is_nobodys_edit(live: dict[str, Any]) -> None:
    assert untouched(CHANGE, WEB, live)


@pytest.mark.parametrize(
    "live",
    [
        None,
        changed(uid="u2"),
        changed(annotations={"note": "mine"}),
        changed(labels={"team": "a"}),
        {**WEB, "spec": {"replicas": 3}},
    ],
)
def test_anything_else_is(live: dict[str, Any] | None) -> None:
    assert not untouched(CHANGE, WEB, live)
