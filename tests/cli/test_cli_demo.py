"""The demo: everything in it is real, and it ends well and soon."""

import time


def test_the_demo_repairs_rolls_back_and_undoes(cli):
    began = time.monotonic()
    ran = cli("demo")
    assert ran.status == 0, ran.err
    assert time.monotonic() - began < 20
    steps = [
        "INCIDENT",
        "KM101  Deployment demo/memory-hog",
        "+            memory: 300Mi",
        "✓ server dry run of patch Deployment demo/memory-hog",
        "succeeded",
        "KM101  Deployment demo/leaky",
        "verification failed",
        "rolled back",
        "undone as asked",
        "✓ Deployment demo/memory-hog equals the snapshot taken before the repair",
        "demo: 1 repaired and proven, 1 taken back by itself, 1 undone",
    ]
    rest = ran.out
    for step in steps:
        before, found, rest = rest.partition(step)
        assert found, f"{step!r} does not come after {before[-200:]!r}"
    assert "whole" in rest
    assert "\x1b" not in ran.out
