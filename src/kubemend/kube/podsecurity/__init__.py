"""The Pod Security Standards as the API server's admission judges them (`k8s.io/pod-security-admission`, 1.0 to 1.37).

Verdicts and words are the server's own, so that an answer here is what a namespace's label would do. A server knows the
standards up to its own version: "latest", and any later version, mean its own.

Not judged, since they aren't in any object: exemptions by user, namespace or runtime class, and defaults other than
privileged, which an administrator may set in the server's configuration file.
"""

from kubemend.kube.podsecurity.hardening import hardened
from kubemend.kube.podsecurity.judging import CHECKS, judge, told
from kubemend.kube.podsecurity.labels import Level, Mode, Policy, Version, parse_version, policy_of
from kubemend.kube.podsecurity.subject import Subject, Violation

__all__ = [
    "CHECKS",
    "Level",
    "Mode",
    "Policy",
    "Subject",
    "Version",
    "Violation",
    "hardened",
    "judge",
    "parse_version",
    "policy_of",
    "told",
]
