"""The runtime's words for a failed pull, as containerd and Docker's registry write them."""

from __future__ import annotations

import pytest

from kubemend.rules.pod.pull import failures
from worlds import world

EITHER = "pull access denied, repository does not exist or may require authorization"

POD = """
kind: Pod
metadata: {{name: web, namespace: shop}}
spec: {{containers: [{{name: app, image: "{image}"}}]}}
status:
  phase: Pending
  containerStatuses: [{{name: app, state: {{waiting: {{reason: {reason}, message: {message!r}}}}}}}]
"""


def cause(message: str, *, image: str = "reg.example/a:1", reason: str = "ErrImagePull") -> str:
    made = world(POD.format(image=image, reason=reason, message=message))
    return next(f.cause for f in failures(made.snapshot))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('failed to resolve reference "reg.example/a:1": reg.example/a:1: not found', "not-found"),
        ("manifest for reg.example/a:1 not found: manifest unknown: manifest unknown", "not-found"),
        ("no match for platform in manifest: not found", "not-found"),
        ('Head "https://reg.example/v2/a/manifests/1": dial tcp: lookup reg.example: no such host', "registry"),
        ("failed to authorize: failed to fetch anonymous token: dial tcp 10.0.0.1:443: i/o timeout", "registry"),
        ("x509: certificate signed by unknown authority", "registry"),
        ("http: server gave HTTP response to HTTPS client", "registry"),
        ("failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized", "unauthorized"),
        ("unexpected status code 403 Forbidden", "unauthorized"),
        ("no basic auth credentials", "unauthorized"),
        (f"{EITHER}: server message: insufficient_scope: authorization failed", "not-found"),
        (f"{EITHER}: authorization failed: no basic auth credentials", "unauthorized"),
        ("toomanyrequests: You have reached your pull rate limit", "busy"),
        ("unexpected status from HEAD request: 503 Service Unavailable", "busy"),
        ('Back-off pulling image "reg.example/a:1"', "unknown"),
    ],
)
def test_a_cause_is_told_from_the_runtimes_words(message: str, expected: str):
    assert cause(message) == expected


@pytest.mark.parametrize("image", ["not-found:1", "unauthorized:503", "denied/registry:401"])
def test_the_images_own_name_decides_nothing(image: str):
    assert cause(f'Back-off pulling image "{image}"', image=image) == "unknown"


def test_a_registry_the_kubelet_calls_unavailable_is_one():
    assert cause("", reason="RegistryUnavailable") == "registry"
