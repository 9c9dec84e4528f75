"""Which proxy to go through: the kubeconfig's `proxy-url`, else the environment, as kubectl decides it."""

from __future__ import annotations

import ipaddress
import urllib.request
from urllib.parse import urlsplit

from kubemend.cluster.errors import ConfigError


def proxy_for(server: str, configured: str) -> str | None:
    """The proxy for a server, or None. ConfigError `proxy-unsupported` for anything but http and https proxies."""
    chosen = configured or _from_environment(server)
    if chosen is None:
        return None
    scheme = urlsplit(chosen).scheme
    if scheme not in ("http", "https"):
        raise ConfigError(
            f"a {scheme or 'nameless'} proxy can't be used",
            code="proxy-unsupported",
            hint="give an http:// or https:// proxy",
        )
    return chosen


def is_loopback(host: str) -> bool:
    """Whether a host is this very machine."""
    if host == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _from_environment(server: str) -> str | None:
    parts = urlsplit(server)
    host = parts.hostname or ""
    proxies = urllib.request.getproxies_environment()
    found = proxies.get(parts.scheme)
    if found is None or is_loopback(host) or urllib.request.proxy_bypass_environment(host, proxies):
        return None
    return None if _in_bypassed_network(host, proxies.get("no", "")) else found


def _in_bypassed_network(host: str, listed: str) -> bool:
    # NO_PROXY with networks (10.0.0.0/8) is what cluster people write, and urllib knows names only.
    address = _address(host)
    if address is None:
        return False
    for entry in listed.split(","):
        try:
            network = ipaddress.ip_network(entry.strip(), strict=False)
        except ValueError:
            continue
        if address in network:
            return True
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
