"""What a key may do, and whether a desk may be run with it.

A desk needs a key that trades. One that can also move money away turns every bug and every leak into a loss
without end, so it is refused. Where nobody can say what a key may do, a person has to say that they looked:
silence is no proof.
"""

from enum import StrEnum

from neuratrade.core.model.errors import Refused


class KeyCheck(StrEnum):
    """What is known of a key.

    VERIFIED: it cannot move money away. REFUSED: it can. UNVERIFIED: not known.
    """

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    REFUSED = "refused"


def checked(may_withdraw: bool | None) -> KeyCheck:
    """What an answer comes to. may_withdraw: None where there was none."""
    if may_withdraw is None:
        return KeyCheck.UNVERIFIED
    return KeyCheck.REFUSED if may_withdraw else KeyCheck.VERIFIED


def admit(venue: str, check: KeyCheck, detail: str, *, allow_unverified: bool) -> None:
    """Lets a key pass. Raises Refused for one that may withdraw, and for an unknown one nobody vouches for.

    detail: what the venue said, or why it said nothing.
    """
    if check is KeyCheck.REFUSED:
        raise Refused(
            f"the key for {venue} may move money away ({detail}): make one that may trade only, and give that"
        )
    if check is KeyCheck.UNVERIFIED and not allow_unverified:
        raise Refused(
            f"what the key for {venue} may do is not known ({detail}): see at the venue that it cannot "
            "withdraw, then open the adapter with allow_unverified=True"
        )
