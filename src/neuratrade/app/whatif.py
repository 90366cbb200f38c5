"""What if: the last run again under other limits, from the same recorded data, folded from its beginning.

Nothing is patched: equity, sizes and counters come from a whole second run, so a trade that disappears
takes its consequences with it. The run is first repeated as it was; only when that gives the journal's own
trades is the comparison exact, and the report says so either way.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from neuratrade.app.engine_room import Setup, engine_config, open_data, replay_of, traded_markets
from neuratrade.app.markets import RecordedMarket
from neuratrade.app.summary import Summary, summarise
from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.fold import apply
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.intent import BasketIntent
from neuratrade.core.risk.limits import NAMES, Limits, with_limit
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.port import event_ns
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.store.reader import JournalReader
from neuratrade.venues.paper.exchange import PaperExchange


class TradeChange(msgspec.Struct, frozen=True):
    """One trade that another limit would have changed. Amounts in the account's currency; None = no trade."""

    bracket_id: str
    instrument: str
    strategy_ref: str
    change: str
    quantity_before: Decimal | None
    quantity_after: Decimal | None
    pnl_before: Decimal | None
    pnl_after: Decimal | None


class WhatIf(msgspec.Struct, frozen=True):
    """The comparison. exact: the run repeated as it was gave the journal's own trades, to the last digit."""

    limits: dict[str, str]
    exact: bool
    note: str
    before: Summary
    after: Summary
    changes: tuple[TradeChange, ...]


class _Trade(msgspec.Struct, frozen=True):
    closed: f.BracketClosed
    instrument: str
    strategy_ref: str


def what_if(reader: JournalReader, catalogue: Catalogue, changes: dict[str, str]) -> WhatIf:
    """Repeats the last run of a journal under changed limits.

    Raises UsageError for unknown limits, and when the run cannot be repeated (its data is gone).
    """
    run = list(_last_run(reader))
    if not run or not isinstance(run[0], f.RunStarted):
        raise UsageError("no run in the journal yet: start one with `neuratrade run`")
    setup = Setup.from_run(run[0])
    limits = setup.limits
    for name, value in changes.items():
        limits = with_limit(limits, name, value)
    until_ns = max(fact.at_ns for fact in run)
    as_it_was = _repeat(setup, setup.limits, run, catalogue, until_ns)
    # A limit that is asked about holds all through the run, whatever an operator made of it on the way.
    without = [fact for fact in run if not (isinstance(fact, f.LimitChanged) and fact.name in changes)]
    otherwise = _repeat(setup, limits, without, catalogue, until_ns)
    recorded, before, after = _trades(run), _trades(as_it_was[0]), _trades(otherwise[0])
    exact = {key: item.closed for key, item in recorded.items()} == {
        key: item.closed for key, item in before.items()
    }
    return WhatIf(
        limits={name: f"{getattr(setup.limits, name)} -> {value}" for name, value in changes.items()},
        exact=exact,
        note=_note(run, exact=exact),
        before=as_it_was[1],
        after=otherwise[1],
        changes=tuple(_compare(before, after)),
    )


def _last_run(reader: JournalReader) -> Iterator[f.Fact]:
    """The facts of the newest run that began afresh, stops and restarts included."""
    first = 0
    for row in reader.rows(kinds=("run_started",)):
        fact = row.fact()
        if isinstance(fact, f.RunStarted) and fact.fresh:
            first = row.seq
    for row in reader.rows(after_seq=max(first - 1, 0)):
        yield row.fact()


def _repeat(
    setup: Setup, limits: Limits, run: list[f.Fact], catalogue: Catalogue, until_ns: int
) -> tuple[list[f.Fact], Summary]:
    dataset = open_data(catalogue, setup.data)
    instruments = {item.key: item for item in dataset.instruments}
    engine = Engine(engine_config(setup, RecordedMarket(dataset), signer=None))
    exchange = PaperExchange(setup.account, instruments, setup.cash, setup.costs)
    recorder = MemoryRecorder()
    desk = SimulatedDesk(engine, exchange, recorder, sender=None, markets=traded_markets(setup, dataset))
    started = run[0]
    if not isinstance(started, f.RunStarted):
        raise UsageError("the run in the journal has no beginning; verify it with `neuratrade audit verify`")
    desk.take(msgspec.structs.replace(started, limits={name: str(getattr(limits, name)) for name in NAMES}))
    outside = _outside(run)
    for piece in replay_of(dataset, None, None).slices():
        at_ns = event_ns(piece)
        if at_ns > until_ns:
            break
        while outside and outside[0].at_ns < at_ns:
            _do_again(desk, recorder, outside.pop(0))
        if isinstance(piece, list):
            desk.bars(piece)
        else:
            desk.tick(piece)
    for event in outside:
        _do_again(desk, recorder, event)
    return recorder.facts, summarise(engine.state, desk.bars_seen)


def _do_again(desk: SimulatedDesk, recorder: MemoryRecorder, event: e.Event | f.LimitChanged) -> None:
    if isinstance(event, f.LimitChanged):
        # It was allowed then: it is not to be judged again beside a ceiling that is only asked about.
        apply(desk.engine.state, event)
        recorder.record((event,))
    else:
        desk.take(event)


def _outside(run: list[f.Fact]) -> list[e.Event | f.LimitChanged]:
    """What people and programs did during the run, to be done again at the same engine time."""
    events: list[e.Event | f.LimitChanged] = []
    judged = [fact.intent for fact in run if isinstance(fact, f.IntentJudged)]
    # The legs of a basket were judged with it, and will be again.
    legs = {leg.intent_id for intent in judged if isinstance(intent, BasketIntent) for leg in intent.legs}
    for fact in run:
        match fact:
            case f.IntentJudged(intent=intent) if (
                intent.source != "strategy" and intent.intent_id not in legs
            ):
                events.append(e.IntentArrived(intent, fact.at_ns))
            case f.OperatorActed(action="halt", policy=policy) if policy is not None:
                events.append(e.Halt(fact.at_ns, fact.operator_id, fact.reason, policy))
            case f.OperatorActed(action="resume"):
                events.append(e.Resume(fact.at_ns, fact.operator_id, fact.reason))
            case f.LimitChanged():
                events.append(fact)
            case _:
                pass
    return events


def _trades(facts: list[f.Fact]) -> dict[str, _Trade]:
    intents: dict[str, f.IntentJudged] = {}
    trades: dict[str, _Trade] = {}
    for fact in facts:
        if isinstance(fact, f.IntentJudged) and fact.approved:
            intents[fact.intent.intent_id] = fact
        elif isinstance(fact, f.BracketClosed) and fact.entered > 0:
            intent = intents[fact.bracket_id].intent
            instrument = str(getattr(intent, "instrument", ""))
            trades[fact.bracket_id] = _Trade(fact, instrument, str(getattr(intent, "strategy_ref", "")))
    return trades


def _compare(before: dict[str, _Trade], after: dict[str, _Trade]) -> Iterator[TradeChange]:
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None and old.closed == new.closed:
            continue
        change = "changed" if old is not None and new is not None else ("gone" if new is None else "new")
        known = old or new
        if known is None:
            continue
        yield TradeChange(
            bracket_id=key,
            instrument=known.instrument,
            strategy_ref=known.strategy_ref,
            change=change,
            quantity_before=None if old is None else old.closed.entered,
            quantity_after=None if new is None else new.closed.entered,
            pnl_before=None if old is None else old.closed.pnl,
            pnl_after=None if new is None else new.closed.pnl,
        )


def _note(run: list[f.Fact], *, exact: bool) -> str:
    if exact:
        return "repeated as it was, the run gave its own journal to the last digit; the comparison is exact"
    restarts = sum(1 for fact in run if isinstance(fact, f.RunStarted)) - 1
    why = f"it was stopped and started {restarts} time(s)" if restarts else "its data or this program changed"
    return f"repeated as it was, the run did not give its own journal ({why}); compare with care"
