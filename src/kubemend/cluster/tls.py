"""TLS as a kubeconfig asks for it, and client certificates that have run out, found before connecting."""

from __future__ import annotations

import os
import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from kubemend.cluster.errors import ConfigError
from kubemend.cluster.kubeconfig import ClusterEntry, data_or_file


def context(cluster: ClusterEntry, certificate: bytes | None = None, key: bytes | None = None) -> ssl.SSLContext:
    """The TLS settings for a cluster, with a client certificate if there is one (PEM). Reads files."""
    authority = data_or_file(cluster.certificate_authority_data, cluster.certificate_authority, "the cluster's CA")
    try:
        made = ssl.create_default_context(cadata=authority.decode() if authority else None)
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError("the cluster's CA is no PEM certificate", where=cluster.server) from error
    # Python 3.13 turned this on by default; many clusters' own CAs lack the extensions it wants.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if cluster.insecure_skip_tls_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if certificate is not None and key is not None:
        _load(made, certificate, key)
    return made


def _load(made: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # The ssl module takes a client certificate from files only.
    with tempfile.TemporaryDirectory(prefix="kubemend-") as folder:
        chain, secret = Path(folder, "chain.pem"), Path(folder, "key.pem")
        for path, data in ((chain, certificate), (secret, key)):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
        try:
            made.load_cert_chain(chain, secret, password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ConfigError("the client certificate and its key don't go together, or are no PEM") from error


def _no_password() -> str:
    # Without this OpenSSL would ask on the terminal.
    raise ValueError("the client key is encrypted")


def expiry(certificate: bytes) -> datetime:
    """When the first certificate of a PEM chain ends (`notAfter`, UTC)."""
    from cryptography import x509  # noqa: PLC0415 - costs 50 ms, and most logins have no certificate

    try:
        return x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    except ValueError as error:
        raise ConfigError("the client certificate is no PEM certificate") from error


def refuse_expired(certificate: bytes, *, where: str) -> None:
    """ConfigError `certificate-expired` when a client certificate has ended."""
    end = expiry(certificate)
    if end <= datetime.now(UTC):
        raise ConfigError(
            f"the client certificate expired on {end:%Y-%m-%d %H:%M} UTC",
            code="certificate-expired",
            where=where,
            hint="get a new kubeconfig, or renew the certificate",
        )
