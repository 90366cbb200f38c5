"""The door: the one way in for intents that the desk did not make itself.

Promise: bytes from anywhere become an `OpenIntent` whose instrument is known, whose numbers are the
sender's digits, whose stop and targets lie on the right sides, and which is fresh by the wall clock; or
a `DoorRefused` that names every field at fault and what to do about it. Nothing raises. Refused: what
cannot be expressed as an intent. Judged by the gate instead: what can, but should not trade (confidence,
session, size, an id seen before, which only durable state can know).

Prices off the tick grid are not refused, since strategies and models compute in plain decimals. They are
moved by less than a tick, to the side of less risk (`_to_grid`), and the sender is told.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ONE, ZERO, ceil_to, floor_to
from neuratrade.core.model.facts import DoorRefused
from neuratrade.core.model.instrument import Instrument, instrument_key
from neuratrade.core.model.intent import Direction, OpenIntent, Stop, TakeProfit
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.hands.execution_document import entry_rest_s, execution_of, time_faults, type_faults
from neuratrade.hands.findings import examine, nearest_of, printable, refusal
from neuratrade.hands.intent_schema import EXAMPLE, SEE, IntentDocument
from neuratrade.hands.strict_json import shown

FUTURE_TOLERANCE_NS = 2 * NS_PER_SECOND
_LISTED = 5
_Rounding = Callable[[Decimal], Decimal]


class Admitted(msgspec.Struct, frozen=True):
    """An intent that may go to the gate. notes: what was changed on the way in, `field: what`."""

    intent: OpenIntent
    notes: tuple[str, ...] = ()


class _Case(msgspec.Struct, frozen=True):
    """A document with its prices on the grid. targets: (field, price, share of the position)."""

    document: IntentDocument
    instrument: Instrument | None
    trigger: Decimal
    stop: Decimal
    targets: tuple[tuple[str, Decimal, Decimal], ...]
    wall_ns: int

    def prices(self) -> Iterator[tuple[str, Decimal]]:
        """Every price with the field it came from."""
        yield "trigger_price", self.trigger
        yield "stop_loss", self.stop
        yield from ((field, price) for field, price, _ in self.targets)


class Door:
    """Turns documents into intents for one account of one operator.

    instruments: all that the desk can trade, by key. default_venue: where a document that names none
    is taken to go.
    """

    def __init__(
        self, instruments: Mapping[str, Instrument], default_venue: str, account_id: str, operator_id: str
    ) -> None:
        self._instruments = instruments
        self._default_venue = default_venue
        self._account_id = account_id
        self._operator_id = operator_id

    def admit(
        self, raw: bytes, *, source: str, name: str, wall_ns: int, engine_ns: int | None = None
    ) -> Admitted | DoorRefused:
        """The intent in `raw`, or what is wrong with it. Never raises for anything `raw` may hold.

        source: the inbox it came by. name: the file, line or message it was, for the refusal.
        wall_ns: receive time UTC, by which freshness is judged. engine_ns: in a replay, the engine's
        time, which the intent is restamped with; None when the engine runs by the wall clock.
        """
        at_ns = wall_ns if engine_ns is None else engine_ns
        examined = examine(raw, IntentDocument, EXAMPLE, SEE)
        errors = list(examined.errors)
        document = examined.document
        if document is not None:
            instrument = None
            if examined.bad.isdisjoint(("asset", "venue")):
                instrument = self._instruments.get(instrument_key(document.asset, self._venue_of(document)))
                if instrument is None:
                    errors.append(self._unknown_instrument(document))
            case = _case_of(document, instrument, wall_ns)
            for reads, check in _CHECKS:
                if examined.bad.isdisjoint(reads):
                    errors.extend(check(case))
            if instrument is not None and not errors:
                return Admitted(self._intent_of(case, instrument, source, engine_ns), tuple(_notes(case)))
        return refusal(errors, source=source, name=name, at_ns=at_ns)

    def _venue_of(self, document: IntentDocument) -> str:
        return self._default_venue if document.venue is None else document.venue

    def _unknown_instrument(self, document: IntentDocument) -> str:
        venue = self._venue_of(document)
        venues = sorted({i.venue for i in self._instruments.values()})
        if venue not in venues:
            near = nearest_of(venue, venues)
            advice = f"did you mean {near!r}?" if near else f"known: {', '.join(venues[:_LISTED]) or 'none'}"
            return f"venue: {shown(venue)} is not connected; {advice}"
        elsewhere = sorted(i.venue for i in self._instruments.values() if i.asset == document.asset)
        if elsewhere:
            return f"asset: {shown(document.asset)} is not traded at {venue}; name venue {elsewhere[0]!r}"
        assets = sorted(i.asset for i in self._instruments.values() if i.venue == venue)
        near = nearest_of(document.asset, assets)
        advice = f"did you mean {near!r}?" if near else f"known: {', '.join(assets[:_LISTED])}"
        return f"asset: {shown(document.asset)} is not traded at {venue}; {advice}"

    def _intent_of(
        self, case: _Case, instrument: Instrument, source: str, engine_ns: int | None
    ) -> OpenIntent:
        document = case.document
        rest = entry_rest_s(document.execution, document.entry_expiry_s, document.ttl_seconds)
        return OpenIntent(
            intent_id=document.intent_id,
            account_id=self._account_id,
            operator_id=self._operator_id,
            instrument=instrument.key,
            direction=document.direction,
            trigger_price=case.trigger,
            protection=Stop(case.stop, document.trailing_pct),
            take_profits=_ladder(case),
            confidence=document.confidence,
            strategy_ref=document.strategy_ref,
            created_ns=document.timestamp if engine_ns is None else engine_ns,
            ttl_ns=_ns(document.ttl_seconds),
            order_type=document.order_type,
            lane=document.lane,
            quantity=document.quantity,
            entry_expiry_ns=None if rest is None else _ns(rest),
            max_hold_ns=None if document.max_hold_s is None else _ns(document.max_hold_s),
            evidence=tuple(document.evidence),
            tags=document.tags,
            source=printable(source),
            execution=execution_of(document.execution),
        )


def _case_of(document: IntentDocument, instrument: Instrument | None, wall_ns: int) -> _Case:
    rungs = [
        (f"take_profits[{index}].price", rung.price, rung.fraction)
        for index, rung in enumerate(document.take_profits)
    ]
    rest = ONE - sum((share for _, _, share in rungs), ZERO)
    if document.take_profit is not None and rest > ZERO:
        rungs.append(("take_profit", document.take_profit, rest))
    backward, forward = _to_grid(document.direction, instrument)
    return _Case(
        document=document,
        instrument=instrument,
        trigger=backward(document.trigger_price),
        stop=forward(document.stop_loss),
        targets=tuple((field, backward(price), share) for field, price, share in rungs),
        wall_ns=wall_ns,
    )


def _to_grid(direction: Direction, instrument: Instrument | None) -> tuple[_Rounding, _Rounding]:
    """How prices meet the tick: against the direction (trigger, targets) and along it (stop).

    So the entry is never at a worse price than asked, the stop never further away and a target never
    harder to reach.
    """
    if instrument is None:
        return _as_given, _as_given
    tick = instrument.tick

    def down(price: Decimal) -> Decimal:
        return floor_to(price, tick)

    def up(price: Decimal) -> Decimal:
        return ceil_to(price, tick)

    return (down, up) if direction is Direction.LONG else (up, down)


def _as_given(price: Decimal) -> Decimal:
    return price


def _check_stop_side(case: _Case) -> Iterator[str]:
    sign, side = _side_of_stop(case)
    if (case.trigger - case.stop) * sign <= ZERO:
        yield (
            f"stop_loss: {case.stop} is not {side} trigger_price {case.trigger} for a"
            f" {case.document.direction}{_on_grid(case)}; move it {side}"
        )


def _check_target_sides(case: _Case) -> Iterator[str]:
    sign, stop_side = _side_of_stop(case)
    side = "above" if stop_side == "below" else "below"
    for field, price, _ in case.targets:
        if (price - case.trigger) * sign <= ZERO:
            yield (
                f"{field}: {price} is not {side} trigger_price {case.trigger} for a"
                f" {case.document.direction}{_on_grid(case)}; move it {side}"
            )


def _check_ladder(case: _Case) -> Iterator[str]:
    document = case.document
    total = sum((rung.fraction for rung in document.take_profits), ZERO)
    if total > ONE:
        yield f"take_profits: fractions add up to {total}; make them add up to at most 1"
    elif not document.take_profits:
        if document.take_profit is None:
            yield "take_profit: is missing; add it, or a ladder in take_profits"
    elif total == ONE and document.take_profit is not None:
        far = max if document.direction is Direction.LONG else min
        last = far(rung.price for rung in document.take_profits)
        if document.take_profit != last:
            yield (
                f"take_profit: {document.take_profit} has no share left by take_profits; leave it out,"
                f" make it the furthest rung ({last}) or lower the fractions"
            )


def _check_bounds(case: _Case) -> Iterator[str]:
    instrument = case.instrument
    if instrument is None:
        return
    ceiling = instrument.price_ceiling
    bounds = f"above {instrument.price_floor}" + ("" if ceiling is None else f" and below {ceiling}")
    for field, price in case.prices():
        if not instrument.admits_price(price):
            yield (
                f"{field}: {price} is no price of {instrument.key} (tick {instrument.tick});"
                f" send one {bounds}"
            )


def _check_freshness(case: _Case) -> Iterator[str]:
    document = case.document
    ttl_ns = _ns(document.ttl_seconds)
    ahead_ns = document.timestamp - case.wall_ns
    if ahead_ns > FUTURE_TOLERANCE_NS:
        yield f"timestamp: {_seconds(ahead_ns)} s in the future, at most 2 are allowed; set your clock"
    elif -ahead_ns > ttl_ns:
        yield (
            f"ttl_seconds: stale, {document.ttl_seconds} s ended {_seconds(-ahead_ns - ttl_ns)} s before it"
            " arrived; send a fresh proposal with a new intent_id"
        )


_LEVELS = ("direction", "trigger_price")
_TARGETS = ("take_profit", "take_profits")
_CHECKS: tuple[tuple[tuple[str, ...], Callable[[_Case], Iterator[str]]], ...] = (
    ((*_LEVELS, "stop_loss", *_TARGETS), _check_bounds),
    ((*_LEVELS, "stop_loss"), _check_stop_side),
    ((*_LEVELS, *_TARGETS), _check_target_sides),
    (("direction", *_TARGETS), _check_ladder),
    (("timestamp", "ttl_seconds"), _check_freshness),
    (
        ("execution", "order_type"),
        lambda case: type_faults(case.document.execution, case.document.order_type),
    ),
    (
        ("execution", "entry_expiry_s"),
        lambda case: time_faults(case.document.execution, case.document.entry_expiry_s),
    ),
)


def _side_of_stop(case: _Case) -> tuple[int, str]:
    direction = case.document.direction
    return direction.sign, "below" if direction is Direction.LONG else "above"


def _on_grid(case: _Case) -> str:
    return "" if case.instrument is None else f" on the tick grid of {case.instrument.tick}"


def _ladder(case: _Case) -> tuple[TakeProfit, ...]:
    """Targets nearest first; rungs that met on one tick are one rung."""
    shares: dict[Decimal, Decimal] = {}
    for _, price, share in case.targets:
        shares[price] = shares.get(price, ZERO) + share
    nearest_first = sorted(shares, key=lambda price: abs(price - case.trigger))
    return tuple(TakeProfit(price, shares[price]) for price in nearest_first)


def _notes(case: _Case) -> Iterator[str]:
    document = case.document
    given = {"trigger_price": document.trigger_price, "stop_loss": document.stop_loss}
    given |= {f"take_profits[{index}].price": rung.price for index, rung in enumerate(document.take_profits)}
    if document.take_profit is not None:
        given["take_profit"] = document.take_profit
    for field, price in case.prices():
        if price != given[field]:
            yield f"{field}: {given[field]} taken as {price}{_on_grid(case)}"


def _ns(seconds: Decimal) -> int:
    return int(seconds * NS_PER_SECOND)


def _seconds(span_ns: int) -> Decimal:
    return (Decimal(span_ns) / NS_PER_SECOND).quantize(Decimal("0.001"))
