"""Requests of operators: halt, resume, flatten, set a limit, lift a quarantine, adopt what is foreign.

They come from other processes through the `control/` folder, by the same road as intents, and are judged
with the same care. A halt is taken however old it is, and needs no timestamp: stopping twice is safe.
Everything else must be fresh, because a `resume` that lay about while the desk was down would lift the halt
that came after it.
"""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainValidator

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.events import AdoptForeign, Halt, LiftQuarantine, OperatorEvent, Resume, SetLimit
from neuratrade.core.model.facts import DoorRefused, KillPolicy
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.hands.fields import (
    Line,
    OptionalLine,
    OptionalMomentNs,
    OptionalPositive,
    choice_of,
    line_of,
    number,
)
from neuratrade.hands.findings import examine, refusal
from neuratrade.hands.strict_json import NotANumber, read_object

FRESH_NS = 60 * NS_PER_SECOND
FUTURE_TOLERANCE_NS = 2 * NS_PER_SECOND
SEE = "docs/intents.md shows a request"
EXAMPLE_JSON = b"""{"action": "halt", "operator_id": "ana", "reason": "news", "policy": "flatten_all",
"timestamp": "2026-02-12T19:15:00Z"}"""


class Action(StrEnum):
    """What an operator may ask of a running desk."""

    HALT = "halt"
    RESUME = "resume"
    FLATTEN = "flatten"
    SET_LIMIT = "set_limit"
    LIFT_QUARANTINE = "lift_quarantine"
    ADOPT = "adopt"


BELONGS: dict[str, tuple[Action, ...]] = {
    "policy": (Action.HALT,),
    "name": (Action.SET_LIMIT,),
    "value": (Action.SET_LIMIT,),
    "reference": (Action.LIFT_QUARANTINE,),
    "instrument": (Action.ADOPT,),
    "stop_price": (Action.ADOPT,),
    "account_id": (Action.LIFT_QUARANTINE, Action.ADOPT),
}
"""Fields that only some actions have; all but those in OPTIONAL have to be there then."""

OPTIONAL = frozenset(("policy", "account_id"))


def _action(value: object) -> Action:
    return choice_of(Action, value)


def _policy(value: object) -> KillPolicy:
    return choice_of(KillPolicy, value)


def _limit_value(value: object) -> str:
    return f"{number(value):f}" if isinstance(value, Decimal | NotANumber) else line_of(value)


class RequestDocument(BaseModel):
    """One request. policy: for halt, what happens to what is open. name, value: for set_limit.

    reference: what is lifted out of quarantine. instrument, stop_price: what is adopted, `ASSET@venue`, and
    the stop that is to guard it. account_id: of either, where there are several.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    action: Annotated[Action, PlainValidator(_action)]
    operator_id: Line
    reason: Line
    policy: Annotated[KillPolicy | None, PlainValidator(_policy)] = None
    name: OptionalLine = None
    value: Annotated[str | None, PlainValidator(_limit_value)] = None
    reference: OptionalLine = None
    instrument: OptionalLine = None
    stop_price: OptionalPositive = None
    account_id: OptionalLine = None
    timestamp: OptionalMomentNs = None


def read_request(
    raw: bytes, *, source: str, name: str, wall_ns: int, engine_ns: int | None = None
) -> OperatorEvent | DoorRefused:
    """The operator's event in `raw`, or what is wrong with it. Never raises for anything `raw` may hold.

    wall_ns: receive time UTC, by which freshness is judged. engine_ns: the engine's time in a replay,
    which the event is stamped with; None when the engine runs by the wall clock.
    """
    at_ns = wall_ns if engine_ns is None else engine_ns
    examined = examine(raw, RequestDocument, read_object(EXAMPLE_JSON).fields, SEE)
    errors = list(examined.errors)
    document = examined.document
    if document is not None:
        if "action" not in examined.bad:
            errors.extend(_errors_of(document, examined.bad, wall_ns))
        if not errors:
            return _event_of(document, at_ns)
    return refusal(errors, source=source, name=name, at_ns=at_ns)


def _errors_of(document: RequestDocument, bad: frozenset[str], wall_ns: int) -> Iterator[str]:
    action = document.action
    for field, actions in BELONGS.items():
        given = getattr(document, field) is not None or field in bad
        if given and action not in actions:
            yield f"{field}: belongs to {' and '.join(actions)}, not to {action}; leave it out"
        elif not given and action in actions and field not in OPTIONAL:
            yield f"{field}: is missing; {action} needs it"
    if action is Action.HALT or "timestamp" in bad:
        return
    if document.timestamp is None:
        yield f"timestamp: is missing; {action} must say when it was asked, with Z or an offset"
    elif document.timestamp - wall_ns > FUTURE_TOLERANCE_NS:
        yield "timestamp: more than 2 s in the future; set the clock of the sender"
    elif wall_ns - document.timestamp > FRESH_NS:
        yield f"timestamp: stale, {action} is taken within {FRESH_NS // NS_PER_SECOND} s; ask again"


def _event_of(document: RequestDocument, at_ns: int) -> OperatorEvent:
    operator_id, reason = document.operator_id, document.reason
    match document.action:
        case Action.HALT:
            return Halt(at_ns, operator_id, reason, document.policy or KillPolicy.CANCEL_ENTRIES)
        case Action.FLATTEN:
            return Halt(at_ns, operator_id, reason, KillPolicy.FLATTEN_ALL)
        case Action.RESUME:
            return Resume(at_ns, operator_id, reason)
        case Action.SET_LIMIT:
            return SetLimit(at_ns, operator_id, document.name or "", document.value or "", reason)
        case Action.LIFT_QUARANTINE:
            reference = document.reference or ""
            return LiftQuarantine(at_ns, operator_id, document.account_id or "", reference, reason)
        case Action.ADOPT:
            return AdoptForeign(
                at_ns,
                operator_id,
                document.account_id or "",
                document.instrument or "",
                document.stop_price or ZERO,
                reason,
            )
