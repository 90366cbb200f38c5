"""What counts as this machine: the only place where secrets and orders of a rehearsal may go in the clear."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its number or as `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
