"""Bad input: one clear error each, the documented exit status, never a traceback."""

import json
import os
import socket
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kubemend.surfaces.cli.exits import Exit


def kubeconfig(path: Path, server: str, **user: object) -> Path:
    entry = {"server": server}
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": entry}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return path


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    """A kubeconfig for a port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return kubeconfig(tmp_path / "dead.yaml", f"http://127.0.0.1:{port}")


def broken(path: Path) -> Path:
    path.write_text("contexts: [\n  {name: x")
    return path


TALKING = [("scan",), ("watch",), ("fix", "deployment/web"), ("undo", "r1"), ("approvals", "approve", "r1")]
"""Every way to talk to a cluster."""


def says(ran, code: str, status: Exit) -> None:
    """One block, its code, a hint or a place, nothing on stdout, no traceback."""
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.startswith(f"error[{code}]: ")
    assert ran.err.count("error[") == 1
    assert "Traceback" not in ran.err
    assert len(ran.err.splitlines()) <= 3


@pytest.mark.parametrize("command", TALKING, ids=" ".join)
def test_no_kubeconfig(cli, command):
    says(cli(*command), "kubeconfig-missing", Exit.INPUT)


@pytest.mark.parametrize("command", TALKING, ids=" ".join)
def test_an_unreachable_server(cli, dead, command):
    says(cli(*command, "--kubeconfig", dead), "cluster-unreachable", Exit.CLUSTER)


def test_an_unknown_context_names_the_nearest(cli, dead):
    ran = cli("scan", "--kubeconfig", dead, "--context", "hree")
    says(ran, "context-unknown", Exit.INPUT)
    assert "did you mean 'here'?" in ran.err


def test_a_kubeconfig_that_is_not_yaml(cli, tmp_path):
    says(cli("scan", "--kubeconfig", broken(tmp_path / "k.yaml")), "kubeconfig-invalid", Exit.INPUT)


def test_a_kubeconfig_that_is_not_there(cli, tmp_path):
    says(cli("scan", "--kubeconfig", tmp_path / "nowhere"), "kubeconfig-missing", Exit.INPUT)


def expired() -> dict[str, str]:
    """A client certificate of the year 2020, and its key, as a kubeconfig holds them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ann")])
    begin, end = datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, end)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "client-certificate-data": b64encode(made.sign(key, hashes.SHA256()).public_bytes(pem)).decode(),
        "client-key-data": b64encode(private).decode(),
    }


def test_an_expired_certificate(cli, tmp_path):
    path = kubeconfig(tmp_path / "old.yaml", "https://127.0.0.1:1", **expired())
    ran = cli("scan", "--kubeconfig", path)
    says(ran, "certificate-expired", Exit.INPUT)
    assert "2020" in ran.err


@pytest.mark.parametrize("make", ["nothing", "empty-directory", "text", "binary"])
@pytest.mark.parametrize("command", [("scan", "--snapshot"), ("snapshot", "show")], ids=" ".join)
def test_a_snapshot_that_is_none(cli, tmp_path, make, command):
    path = tmp_path / "thing"
    if make == "empty-directory":
        path.mkdir()
    elif make != "nothing":
        path.write_bytes(b"hello\n" if make == "text" else bytes(range(256)))
    says(cli(*command, path), "not-a-snapshot", Exit.INPUT)


@pytest.mark.parametrize(
    "command", [("repairs", "r404"), ("approvals", "reject", "r404"), ("audit", "--repair", "r404")], ids=" ".join
)
def test_an_unknown_repair(cli, command):
    says(cli(*command), "repair-unknown", Exit.INPUT)


def test_a_ledger_in_a_place_that_can_not_be(cli, tmp_path):
    (tmp_path / "file").write_text("")
    says(cli("repairs", "--store", tmp_path / "file" / "ledger.db"), "store-unavailable", Exit.LEDGER)


def test_a_ledger_that_is_something_else(cli, tmp_path):
    (tmp_path / "ledger.db").write_text("not a database, but long enough to be looked at " * 100)
    says(cli("repairs", "--store", tmp_path / "ledger.db"), "store-corrupt", Exit.LEDGER)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_ledger_on_a_full_disk(cli):
    ran = cli("pause", "--store", "/dev/full")
    assert ran.status == Exit.LEDGER
    assert ran.err.startswith("error[store-")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_ledger_that_may_not_be_written(cli, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    says(cli("pause", "--store", folder / "ledger.db"), "store-unavailable", Exit.LEDGER)


@pytest.mark.parametrize(
    "command",
    [
        ("scan", "--bogus"),
        ("scan", "-o", "xml"),
        ("scna",),
        ("approvals", "approv", "r1"),
        ("fix",),
        ("fix", "a", "b"),
        ("watch", "--max-concurrent", "0"),
        ("lab", "up", "--nodes", "many"),
    ],
    ids=" ".join,
)
def test_a_command_line_that_makes_no_sense(cli, command):
    says(cli(*command), "usage", Exit.INPUT)


def test_options_that_contradict_each_other(cli):
    says(cli("watch", "--analyze-only", "--auto-fix"), "options-conflict", Exit.INPUT)


@pytest.mark.parametrize("spelled", [("-o", "json"), ("--output=json",), ("--output", "json")], ids=" ".join)
def test_programs_get_the_error_as_json(cli, spelled):
    ran = cli("repairs", "r404", *spelled)
    assert (ran.status, ran.out) == (Exit.INPUT, "")
    assert json.loads(ran.err)["error"]["code"] == "repair-unknown"


def test_an_error_can_not_steer_the_terminal(cli):
    ran = cli("repairs", "r\x1b[31m404")
    assert ran.status == Exit.INPUT
    assert "\x1b" not in ran.err
