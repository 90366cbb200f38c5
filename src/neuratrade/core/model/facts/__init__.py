"""Facts: everything that changes durable state. The journal holds nothing else, and state is their fold.

Each has `at_ns`, engine time. Venue events are facts as they come; decisions, triggers, marks and acts
of people become facts the moment they are made, before any effect leaves the process.
"""

import msgspec

from neuratrade.core.model.facts.desk import (
    ActionKind,
    CashMoved,
    CorporateActed,
    DayRolled,
    DoorRefused,
    ForeignAdopted,
    ForeignSeen,
    InstrumentUpdated,
    KillPolicy,
    LimitChanged,
    Marked,
    OperatorActed,
    PauseProposed,
    PostureMoved,
    Quarantined,
    QuarantineKind,
    QuarantineLifted,
    Reconciled,
    RunEnded,
    RunStarted,
    SessionMoved,
    TradingState,
    TradingStateMoved,
)
from neuratrade.core.model.facts.trade import (
    AmendPlanned,
    BasketMoved,
    BasketPhase,
    BracketClosed,
    BracketReopened,
    CancelPlanned,
    CloseReason,
    EntryEnded,
    ExitEnded,
    IntentJudged,
    MarketSeen,
    OrderPlanned,
    ProtectionChanged,
    StopMoved,
    TimerFired,
    TimerSet,
    TrailMoved,
    TriggerFired,
)
from neuratrade.core.model.facts.venue import (
    FillCorrected,
    Liquidated,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderNotFound,
    OrderRejected,
    OrderTriggered,
    OrderUnknown,
    RequestRejected,
    VenueEvent,
)

Fact = (
    VenueEvent
    | Liquidated
    | RunStarted
    | RunEnded
    | DoorRefused
    | IntentJudged
    | OrderPlanned
    | CancelPlanned
    | AmendPlanned
    | TriggerFired
    | EntryEnded
    | ExitEnded
    | TrailMoved
    | StopMoved
    | ProtectionChanged
    | BracketClosed
    | BracketReopened
    | BasketMoved
    | TimerSet
    | TimerFired
    | Marked
    | DayRolled
    | TradingStateMoved
    | PostureMoved
    | OperatorActed
    | PauseProposed
    | LimitChanged
    | CashMoved
    | SessionMoved
    | CorporateActed
    | InstrumentUpdated
    | Quarantined
    | QuarantineLifted
    | Reconciled
    | ForeignSeen
    | ForeignAdopted
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Fact] = msgspec.json.Decoder(Fact)


def encode_fact(fact: Fact) -> bytes:
    """Canonical JSON of a fact, with its kind under `type`; decimals as strings."""
    return _encoder.encode(fact)


def decode_fact(payload: bytes | str) -> Fact:
    """The fact of a journal row. Raises msgspec.ValidationError naming the field that does not fit."""
    return _decoder.decode(payload)


def kind_of(fact: Fact) -> str:
    """The tag a fact is stored under, for example `order_filled`."""
    return str(fact.__struct_config__.tag)


__all__ = [
    "ActionKind",
    "AmendPlanned",
    "BasketMoved",
    "BasketPhase",
    "BracketClosed",
    "BracketReopened",
    "CancelPlanned",
    "CashMoved",
    "CloseReason",
    "CorporateActed",
    "DayRolled",
    "DoorRefused",
    "EntryEnded",
    "ExitEnded",
    "Fact",
    "FillCorrected",
    "ForeignAdopted",
    "ForeignSeen",
    "InstrumentUpdated",
    "IntentJudged",
    "KillPolicy",
    "LimitChanged",
    "Liquidated",
    "Marked",
    "MarketSeen",
    "OperatorActed",
    "OrderAccepted",
    "OrderAmended",
    "OrderCancelled",
    "OrderExpired",
    "OrderFilled",
    "OrderNotFound",
    "OrderPlanned",
    "OrderRejected",
    "OrderTriggered",
    "OrderUnknown",
    "PauseProposed",
    "PostureMoved",
    "ProtectionChanged",
    "QuarantineKind",
    "QuarantineLifted",
    "Quarantined",
    "Reconciled",
    "RequestRejected",
    "RunEnded",
    "RunStarted",
    "SessionMoved",
    "StopMoved",
    "TimerFired",
    "TimerSet",
    "TradingState",
    "TradingStateMoved",
    "TrailMoved",
    "TriggerFired",
    "VenueEvent",
    "decode_fact",
    "encode_fact",
    "kind_of",
]
