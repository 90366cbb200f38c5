"""A play ends well with the adapter as it is, and finds out one that is not to be trusted.

Each adapter here breaks one rule of the port and is otherwise the real one, against the simulator, with the
real desk. A rehearsal that let one of them pass would prove nothing.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import msgspec
import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar
from neuratrade.core.model.orders import Fill, OrderRole
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.clock import Clock
from neuratrade.rehearsal.alpaca import KEY, SECRET, AlpacaSimulator
from neuratrade.rehearsal.faults import FaultKind, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.plays import WARM_MINUTES, Outcome, play
from neuratrade.rehearsal.recording import recorded_bars, stretch
from neuratrade.rehearsal.server import Simulator
from neuratrade.rehearsal.stages import STAGES
from neuratrade.venues.alpaca.rest import Doubtful, Keys
from neuratrade.venues.alpaca.venue import AlpacaVenue
from neuratrade.venues.port import Cleared, StreamOpened, Venue, VenueRefused, request_of

STAGE = STAGES["alpaca"]()
MINUTES = 15
HARMLESS = [FaultKind.CLOCK_SKEW]
DROPPED = 3


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> list[Bar]:
    return recorded_bars(Catalogue(tmp_path_factory.mktemp("data")).open("shipped"))


def played(
    bars: Sequence[Bar],
    adapter: type[AlpacaVenue] = AlpacaVenue,
    kinds: Sequence[FaultKind] | None = None,
    seed: int = 3,
    rules: VenueRules = STAGE.rules,
) -> Outcome:
    """A short play with this adapter."""

    def venue(
        simulator: Simulator, account_id: str, contracts: Sequence[Instrument], clock: Clock
    ) -> AbstractAsyncContextManager[Venue]:
        keys = Keys(KEY, SECRET)
        return adapter(account_id, contracts, keys, clock, simulator.base, allow_unverified=True)

    stage = replace(STAGE, venue=venue, rules=rules)
    return play(stage, seed, stretch(bars, stage.contract, seed, WARM_MINUTES + MINUTES), kinds)


def test_the_adapter_as_it_is_plays_well_and_the_same_plan_ends_the_same_way(bars: list[Bar]) -> None:
    one, again = played(bars), played(bars)
    assert one.verdict.findings == ()
    assert one.verdict.executions
    assert one.positions
    assert one.verdict.unknown == one.verdict.unknown_resolved
    assert (one.plan, one.verdict, one.proposed, one.opened, one.positions) == (
        again.plan, again.verdict, again.proposed, again.opened, again.positions,
    )  # fmt: skip
    assert (one.heard, one.silence, one.met, one.notes) == (
        again.heard, again.silence, again.met, again.notes,
    )  # fmt: skip


class Resending(AlpacaVenue):
    """Sends an order again when it was not answered."""

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        try:
            return await super().submit(order)
        except Doubtful:
            return await super().submit(order)


def test_an_adapter_that_sends_again_after_a_5xx_is_found_as_doubled(bars: list[Bar]) -> None:
    found = played(bars, Resending, [FaultKind.SERVER_ERROR_AFTER]).verdict
    assert found.doubled
    assert any("was sent 2 times" in words for words in found.findings)


def trades_of(fill: Fill, seen: dict[str, None]) -> bool:
    """Whether it is one of the first few that were ever seen."""
    if len(seen) < DROPPED:
        seen[fill.trade_id] = None
    return fill.trade_id in seen


class Deaf(AlpacaVenue):
    """Does not hear the first executions of its stream."""

    def __init__(
        self,
        account_id: str,
        contracts: Sequence[Instrument],
        keys: Keys,
        clock: Clock,
        base: str,
        *,
        allow_unverified: bool,
    ) -> None:
        super().__init__(account_id, contracts, keys, clock, base, allow_unverified=allow_unverified)
        self.dropped: dict[str, None] = {}

    async def events(self) -> AsyncIterator[f.VenueEvent | StreamOpened]:
        async for item in super().events():
            if not (isinstance(item, f.OrderFilled) and trades_of(item.fill, self.dropped)):
                yield item


class Losing(Deaf):
    """Loses these executions whoever tells of them."""

    async def look_up(self, order: LookUpOrder) -> Sequence[f.VenueEvent]:
        told = await super().look_up(order)
        return [
            item
            for item in told
            if not (isinstance(item, f.OrderFilled) and item.fill.trade_id in self.dropped)
        ]

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        seen = await super().snapshot(account_id)
        kept = tuple(fill for fill in seen.fills if fill.trade_id not in self.dropped)
        return msgspec.structs.replace(seen, fills=kept)


def test_executions_that_the_stream_did_not_bring_are_found_by_comparing_books(bars: list[Bar]) -> None:
    outcome = played(bars, Deaf, HARMLESS)
    assert outcome.verdict.findings == ()
    assert outcome.verdict.executions > DROPPED


def test_an_adapter_that_loses_executions_for_good_is_found(bars: list[Bar]) -> None:
    found = played(bars, Losing, HARMLESS).verdict
    assert found.lost
    assert any("in the journal" in words for words in found.findings)


def test_a_desk_that_leaves_no_stops_at_the_venue_is_found_bare(bars: list[Bar]) -> None:
    rules = VenueRules(stop_market=False, stop_limit=False, amends_stops=False, balance_lock=True)
    outcome = played(bars, kinds=HARMLESS, rules=rules)
    assert outcome.positions
    assert outcome.verdict.unprotected_over_limit
    assert any("without a stop" in words for words in outcome.verdict.findings)


class Stopless(AlpacaVenue):
    """Says that stops are taken, and sends none."""

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        request = request_of(order)
        if request.role is OrderRole.STOP:
            return [f.OrderAccepted(self._clock.now_ns(), request.client_order_id, "none")]
        return await super().submit(order)


def test_stops_that_exist_in_words_only_are_counted_as_none_and_the_desk_leaves(bars: list[Bar]) -> None:
    outcome = played(bars, Stopless, HARMLESS)
    assert outcome.verdict.longest_unprotected_s > 30
    left_by = {position.reason for position in outcome.positions if position.entered}
    assert left_by == {f.CloseReason.KILL.value}


class Hasty(AlpacaVenue):
    """Takes the wish for a cancel for its proof, once, and does not send it."""

    said = False

    async def cancel(self, order: CancelOrder) -> Sequence[f.VenueEvent]:
        if self.said:
            return await super().cancel(order)
        self.said = True
        return [f.OrderCancelled(self._clock.now_ns(), order.client_order_id, "", ZERO)]


def test_a_cancel_that_was_never_sent_is_set_right_by_comparing_books(bars: list[Bar]) -> None:
    outcome = played(bars, Hasty, HARMLESS)
    assert outcome.positions
    assert outcome.verdict.findings == ()


class Certain(AlpacaVenue):
    """Takes every trouble for a refusal."""

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        try:
            return await super().submit(order)
        except Doubtful as doubt:
            raise VenueRefused(str(doubt)) from doubt


def test_doubt_taken_for_a_refusal_is_set_right_by_comparing_books(bars: list[Bar]) -> None:
    outcome = played(bars, Certain, [FaultKind.SERVER_ERROR_AFTER, FaultKind.RATE_LIMITED_AFTER])
    assert sum(outcome.met.values())
    assert outcome.verdict.findings == ()


# prices


def test_prices_come_over_the_wire_by_the_live_feed(bars: list[Bar]) -> None:
    outcome = played(bars, kinds=HARMLESS)
    assert outcome.heard["quotes"] > MINUTES * 12
    assert outcome.heard["trades"] >= MINUTES * 4
    assert MINUTES - 2 <= outcome.heard["bars"] <= MINUTES + 5
    assert outcome.silence.stalls == 0


@pytest.mark.parametrize(
    ("kind", "stalls"),
    [
        (FaultKind.PRICES_CUT, True),
        (FaultKind.PRICES_DOWN, True),
        (FaultKind.SILENT_SYMBOL, True),
        (FaultKind.PRICES_LATE, True),
        (FaultKind.PRICES_TWICE, False),
        (FaultKind.PRICES_REORDERED, False),
    ],
)
def test_whatever_prices_do_the_desk_protects_and_opens_nothing_blindly(
    kind: FaultKind, stalls: bool, bars: list[Bar]
) -> None:
    outcome = played(bars, kinds=[kind], seed=4)
    assert outcome.verdict.findings == ()
    assert outcome.verdict.executions
    assert outcome.met[kind.value]
    assert (outcome.silence.stalls > 0) is stalls
    if kind is FaultKind.PRICES_DOWN:
        assert outcome.heard["connections lost"]
        assert outcome.silence.refused, "nothing is opened on old prices"
        assert outcome.silence.stops, "what is held is protected without any"


def test_prices_may_come_from_somebody_else_with_troubles_of_its_own(bars: list[Bar]) -> None:
    asked: list[str] = []

    class Teller(AlpacaSimulator):
        """Tells prices, and takes no orders."""

        def __init__(self, engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> None:
            super().__init__(engine, troubles, now_ns)
            self.witness = lambda method, path, _: asked.append(f"{method} {path.partition('?')[0]}")

    kinds = [FaultKind.PRICES_CUT, FaultKind.PRICES_DOWN]
    stretched = stretch(bars, STAGE.contract, 4, WARM_MINUTES + MINUTES)
    outcome = play(replace(STAGE, data=Teller), 4, stretched, kinds)
    assert outcome.verdict.findings == ()
    assert outcome.verdict.executions
    assert outcome.heard["quotes"]
    assert outcome.heard["connections lost"]
    assert set(outcome.met) == {kind.value for kind in kinds}
    assert set(asked) == {"GET /v1beta3/crypto/us/bars"}
