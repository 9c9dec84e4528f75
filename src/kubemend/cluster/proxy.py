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
    if found is None or is_loopback(host):
        return None
    return None if any(_bypasses(entry.strip(), host) for entry in proxies.get("no", "").split(",")) else found


def _bypasses(entry: str, host: str) -> bool:
    """Whether an entry of NO_PROXY covers a host: "*", a domain with those below it, an address, or a network."""
    address = _address(host)
    if address is not None:
        try:
            return entry == "*" or address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    domain = entry.removeprefix("*.").lstrip(".").lower()
    return entry == "*" or (bool(domain) and (host == domain or host.endswith(f".{domain}")))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
