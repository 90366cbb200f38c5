"""Where Barchart's credentials may be sent: encrypted to anywhere, in the clear to this machine only."""

import ipaddress
from urllib.parse import urlsplit

from neuratrade.core.model.errors import Refused

ENCRYPTED = frozenset({"wss", "https"})
CLEAR = frozenset({"ws", "http"})


def check_url(url: str) -> str:
    """The URL, where credentials may be sent to it. Raises Refused elsewhere."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host and (parts.scheme in ENCRYPTED or (parts.scheme in CLEAR and _is_loopback(host))):
        return url
    raise Refused(
        f"{parts.scheme}://{host}: credentials are not sent over a connection that others can read; use "
        "wss or https"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
