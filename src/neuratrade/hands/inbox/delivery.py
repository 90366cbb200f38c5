"""What every inbox hands to the runner: bytes with a name, not yet judged by anybody."""

import msgspec


class Delivery(msgspec.Struct, frozen=True):
    """One document as it came.

    source: the inbox (`folder`, `control`, `stdin`, `bus`). name: what it is called there; the verdict
    goes back under this name. faults: why there are no bytes to judge (a link, a folder, too large), as
    `field: what; what to do`; empty when `raw` is the document.
    """

    source: str
    name: str
    raw: bytes
    faults: tuple[str, ...] = ()
