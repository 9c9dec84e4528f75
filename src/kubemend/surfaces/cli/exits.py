"""What this program's exit status means. The one place where it is said; the reference page is made from it."""

from __future__ import annotations

import enum

from kubemend.model.errors import KubemendError


class Exit(enum.IntEnum):
    """An exit status."""

    OK = 0
    FOUND = 1
    INPUT = 2
    CLUSTER = 3
    LEDGER = 4
    REFUSED = 5
    PIPE = 141
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """In words."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "all went well; for `scan`: nothing found at or above `--fail-on`",
    Exit.FOUND: "a finding at or above `--fail-on`, a repair that did not succeed, or a failed check of `doctor`",
    Exit.INPUT: "bad input: an option, a file, a kubeconfig or an id that can't be used",
    Exit.CLUSTER: "the cluster could not be reached, did not let us in, or failed; `scan --fail-on`: not all was read",
    Exit.LEDGER: "the ledger could not be read or written",
    Exit.REFUSED: "refused: by the mode, the guard, a limit, the kill switch, or a person's no",
    Exit.PIPE: "whoever read the output went away",
    Exit.INTERRUPTED: "interrupted (Ctrl-C); the ledger knows how far it came",
}


def status_of(error: KubemendError) -> Exit:
    """The exit status for an error. Whatever fails between us and a cluster counts as the cluster's."""
    from kubemend.cluster.errors import ClusterError  # noqa: PLC0415 - only when something failed

    if isinstance(error, ClusterError) and error.exit_status == Exit.FOUND:
        return Exit.CLUSTER
    return Exit(error.exit_status)
