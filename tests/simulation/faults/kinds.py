"""What can go wrong, and the state a bracket may be in while it does: the rows and columns of the matrix."""

from enum import StrEnum

from neuratrade.core.engine.state import BracketPhase, BracketState, DeskState
from neuratrade.core.model.market import NS_PER_SECOND

JUST_CLOSED_NS = 10 * NS_PER_SECOND


class Fault(StrEnum):
    """One way in which the world is unkind."""

    ACK_DELAYED = "answer delayed"
    ACK_DROPPED = "answer lost"
    ACK_DOUBLED = "answer doubled"
    FILL_DELAYED = "fill delayed"
    FILL_DROPPED = "fill lost"
    FILL_DOUBLED = "fill doubled"
    REORDERED = "words out of order"
    PARTIAL = "partial fill"
    STOP_REJECTED = "stop rejected"
    OTHER_REJECTED = "entry or exit rejected"
    REQUEST_REFUSED = "cancel or amend refused"
    REQUEST_LOST = "cancel or amend lost"
    UNKNOWN_TAKEN = "unknown, was taken"
    UNKNOWN_NOT_TAKEN = "unknown, not taken"
    UNKNOWN_LATE = "unknown, turns up late"
    LOOK_UP_LOST = "look-up lost"
    SNAPSHOT_LOST = "snapshot unanswered"
    SNAPSHOT_LATE = "snapshot late"
    LIST_LOST = "snapshot lacks a list"
    LIST_STALE = "snapshot shows old list"
    FILLS_CUT = "snapshot lacks new fills"
    DISCONNECTED = "disconnected"
    VENUE_RESTARTED = "venue restarted, new ids"
    FILL_CORRECTED = "fill corrected"
    FILL_BUSTED = "fill busted"
    BAD_TICK = "bad tick"
    LIQUIDATED = "liquidated"
    TRADED_BY_HAND = "stranger trades by hand"
    SESSION_SHUT = "market closes"
    STREAM_SILENT = "stream silent > 15 min"
    FROZEN = "clock leaps forward"
    CLOCK_BACK = "clock goes back"
    DISK_FULL = "disk full"
    CRASH_BEFORE_FLUSH = "crash before flush"
    CRASH_AFTER_FLUSH = "crash before dispatch"
    CRASH_AMID_DISPATCH = "crash between dispatches"
    CRASH_AFTER_DISPATCH = "crash before the answer"
    CRASH_IDLE = "crash between turns"


class Moment(StrEnum):
    """Where a bracket stood."""

    ENTERING = "entering"
    PROTECTED = "protected"
    BARE = "bare"
    EXITING = "exiting"
    CLOSED = "just closed"


CRASHES = (
    Fault.CRASH_BEFORE_FLUSH,
    Fault.CRASH_AFTER_FLUSH,
    Fault.CRASH_AMID_DISPATCH,
    Fault.CRASH_AFTER_DISPATCH,
    Fault.CRASH_IDLE,
)

_NOTHING_FILLED = "nothing of it is filled yet, and a venue corrects only what it has told"
_NOTHING_LIVE = "a bracket closes only when no order of it is live, so nothing is asked about them"

IMPOSSIBLE: dict[tuple[Fault, Moment], str] = {
    (Fault.STOP_REJECTED, Moment.ENTERING): "a stop is sent only for what is filled",
    (Fault.FILL_CORRECTED, Moment.ENTERING): _NOTHING_FILLED,
    (Fault.FILL_BUSTED, Moment.ENTERING): _NOTHING_FILLED,
    (Fault.REQUEST_LOST, Moment.CLOSED): _NOTHING_LIVE,
    (Fault.LOOK_UP_LOST, Moment.CLOSED): _NOTHING_LIVE,
}
"""Cells that no world can fill, each with the reason."""


def moment_of(bracket: BracketState) -> Moment:
    """Where an open bracket stands now."""
    if bracket.phase is BracketPhase.ENTERING:
        return Moment.ENTERING
    if bracket.phase is BracketPhase.EXITING:
        return Moment.EXITING
    return Moment.PROTECTED if bracket.protected else Moment.BARE


def moments(state: DeskState) -> dict[str, Moment]:
    """Where each bracket stands that is open or was closed a moment ago."""
    found = {key: moment_of(bracket) for key, bracket in state.brackets.items()}
    for key, kept in state.closed.items():
        if state.now_ns - kept.closed.at_ns <= JUST_CLOSED_NS:
            found[key] = Moment.CLOSED
    return found
