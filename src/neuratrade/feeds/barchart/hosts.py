"""Where Barchart's credentials may be sent: encrypted to anywhere, in the clear to this machine only."""

from urllib.parse import urlsplit

from neuratrade.core.model.errors import Refused
from neuratrade.feeds.loopback import is_loopback

ENCRYPTED = frozenset({"wss", "https"})
CLEAR = frozenset({"ws", "http"})


def check_url(url: str) -> str:
    """The URL, where credentials may be sent to it. Raises Refused elsewhere."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host and (parts.scheme in ENCRYPTED or (parts.scheme in CLEAR and is_loopback(host))):
        return url
    raise Refused(
        f"{parts.scheme}://{host}: credentials are not sent over a connection that others can read; use "
        "wss or https"
    )
