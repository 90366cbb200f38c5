"""The judge finds each thing that must not be, by itself, and nothing where nothing is wrong."""

from collections import Counter
from decimal import Decimal

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.core.model.orders import Fill, Liquidity, OrderRequest, OrderRole, OrderType, Side
from neuratrade.rehearsal.heard import Heard
from neuratrade.rehearsal.judge import LIMIT_S, Verdict, Watch, judge
from neuratrade.rehearsal.orders import Execution, SimOrder, Ticket
from tests.unit.hands.test_sender import ENTRY, STARTED, judged, plan
from tests.unit.rehearsal.exchange import PERP, D, Floor
from tests.unit.risk.builders import NOW_NS, SPOT

MARKET = replace(ENTRY, order_type=OrderType.MARKET)
STOP = replace(
    ENTRY, client_order_id="b" * 32, side=Side.SELL, order_type=OrderType.STOP_LIMIT, role=OrderRole.STOP,
    limit_price=D(89), stop_price=D(90),
)  # fmt: skip


class Rehearsed:
    """An exchange and the journal of a desk, which tell the same story unless a test lets them differ."""

    def __init__(self) -> None:
        self.floor = Floor(SPOT)
        self.takes_orders = True
        self.watch = Watch(
            self.floor.engine, SPOT, lambda: self.floor.now_ns, lambda: self.takes_orders, lambda: D(0)
        )
        self.submissions: Counter[str] = Counter()
        self.facts: list[f.Fact] = []
        self.state = DeskState()
        for fact in (STARTED, judged()):
            self.book(fact)
        self.floor.quote("100", "100")

    def book(self, fact: f.Fact) -> None:
        """The desk takes something down."""
        self.facts.append(fact)
        apply(self.state, fact)

    def plan(self, request: OrderRequest) -> None:
        """The desk plans an order and believes that it works."""
        self.book(plan(request))
        self.book(f.OrderAccepted(NOW_NS, request.client_order_id, "v"))

    def send(self, request: OrderRequest) -> SimOrder:
        """An order arrives at the exchange."""
        coid, kind = request.client_order_id, request.order_type
        self.submissions[coid] += 1
        prices = (request.limit_price, request.stop_price)
        return self.floor.engine.place(Ticket(coid, SPOT.key, request.side, kind, request.quantity, *prices))

    def hear(self, done: Execution, quantity: Decimal | None = None) -> None:
        """The desk hears of an execution."""
        fill = Fill(
            trade_id=str(done.number),
            client_order_id=done.client_id,
            account_id="main",
            instrument=SPOT.key,
            side=done.side,
            quantity=quantity or done.quantity,
            price=done.price,
            fee=done.fee,
            fee_currency=done.fee_currency,
            liquidity=Liquidity.TAKER,
            at_ns=NOW_NS,
        )
        self.book(f.OrderFilled(NOW_NS, fill))

    def enter(self, request: OrderRequest = MARKET) -> SimOrder:
        """An entry is planned, sent, filled and heard of."""
        self.plan(request)
        order = self.send(request)
        for done in order.executions:
            self.hear(done)
        return order

    def protect(self) -> SimOrder:
        """A stop is planned and sent."""
        self.plan(STOP)
        return self.send(STOP)

    def seconds(self, count: float) -> None:
        """Time goes by, looked at every second."""
        for _ in range(round(count)):
            self.floor.now_ns += NS_PER_SECOND
            self.watch.look()

    def verdict(self) -> Verdict:
        """What the judge finds."""
        self.watch.end()
        return judge(self.facts, self.state, self.floor.engine, self.submissions, [self.watch])


def test_a_rehearsal_in_order_is_found_to_be_so() -> None:
    here = Rehearsed()
    here.enter()
    here.seconds(3)
    here.protect()
    here.seconds(600)
    found = here.verdict()
    assert (found.orders, found.executions) == (2, 1)
    assert (found.doubled, found.lost, found.unprotected_over_limit) == (0, 0, 0)
    assert found.longest_unprotected_s == 3.0
    assert found.findings == ()


def only(found: Verdict, words: str, **counts: int) -> None:
    """Exactly this was found and nothing besides."""
    assert len(found.findings) == 1, found.findings
    assert words in found.findings[0]
    wanted = {"doubled": 0, "lost": 0, "unprotected_over_limit": 0} | counts
    assert {name: getattr(found, name) for name in wanted} == wanted


def test_an_order_that_was_sent_twice_is_found() -> None:
    here = Rehearsed()
    here.enter()
    here.protect()
    here.submissions[MARKET.client_order_id] += 1
    only(here.verdict(), f"order {MARKET.client_order_id} was sent 2 times", doubled=1)


def test_entries_filled_beyond_what_was_approved_are_found() -> None:
    here = Rehearsed()
    here.enter()
    again = replace(MARKET, client_order_id="c" * 32)
    here.enter(again)
    here.plan(STOP)
    here.send(replace(STOP, quantity=D(2)))
    only(here.verdict(), f"bracket {MARKET.bracket_id} entered 2, approved were 1", doubled=1)


def test_as_much_as_was_approved_in_several_orders_is_none_too_many() -> None:
    here = Rehearsed()
    here.enter(replace(MARKET, quantity=D("0.4")))
    here.enter(replace(MARKET, client_order_id="c" * 32, quantity=D("0.6")))
    here.protect()
    assert here.verdict().findings == ()


def test_an_execution_that_is_missing_in_the_journal_is_found() -> None:
    here = Rehearsed()
    here.plan(MARKET)
    here.floor.quote("100", "100", size="0.7")
    order = here.send(MARKET)
    here.protect()
    assert len(order.executions) == 2
    # The books are made to agree in everything else.
    here.hear(order.executions[0], D(1))
    only(here.verdict(), "2 executions there, 1 in the journal", lost=1)


def test_an_execution_that_only_the_journal_has_is_found() -> None:
    here = Rehearsed()
    order = here.enter()
    here.protect()
    here.hear(replace(order.executions[0], number=99, quantity=D("0.01")))
    only(here.verdict(), "1 executions there, 2 in the journal", lost=1)


def test_an_execution_of_an_order_that_never_was_there_is_found() -> None:
    here = Rehearsed()
    order = here.enter()
    here.protect()
    ghost = replace(MARKET, client_order_id="d" * 32)
    here.book(plan(ghost))
    told = replace(order.executions[0], number=99, client_id=ghost.client_order_id, quantity=D("0.01"))
    here.hear(told)
    here.book(f.OrderCancelled(NOW_NS, ghost.client_order_id, "", D("0.01")))
    only(here.verdict(), f"order {ghost.client_order_id}: 0 executions there, 1 in the journal", lost=1)


def test_an_order_that_works_there_and_is_forgotten_here_is_found() -> None:
    here = Rehearsed()
    here.enter()
    here.protect()
    here.book(f.OrderCancelled(NOW_NS, STOP.client_order_id, "", D(0)))
    only(here.verdict(), f"order {STOP.client_order_id} works at the exchange and nobody knows", lost=1)


def test_an_order_that_is_waited_for_and_is_not_there_is_found() -> None:
    here = Rehearsed()
    here.enter()
    order = here.protect()
    here.floor.engine.cancel(order.order_id)
    only(here.verdict(), f"order {STOP.client_order_id} is waited for and is not there", lost=1)


def test_a_holding_that_differs_is_found_and_dust_is_not() -> None:
    for extra, count in (("0.5", 1), ("0.04", 0)):
        here = Rehearsed()
        here.enter()
        here.protect()
        here.floor.engine.account.balances["SOL"] -= D(extra)
        found = here.verdict()
        assert found.lost == count
        if count:
            only(found, f"0.5 of {SPOT.key} are held there, 1 in the books", lost=1)


def test_an_order_of_unknown_fate_is_found_and_one_that_was_looked_up_is_not() -> None:
    here = Rehearsed()
    here.enter()
    here.protect()
    here.book(f.OrderUnknown(NOW_NS, STOP.client_order_id, "no answer"))
    found = here.verdict()
    assert (found.unknown, found.unknown_resolved) == (1, 0)
    only(found, f"nobody knows what became of order {STOP.client_order_id}")
    here.book(f.OrderAccepted(NOW_NS, STOP.client_order_id, "v"))
    found = here.verdict()
    assert (found.unknown, found.unknown_resolved, found.findings) == (1, 1, ())


# without a stop


def test_a_holding_that_is_bare_for_too_long_is_found() -> None:
    here = Rehearsed()
    here.enter()
    here.seconds(LIMIT_S + 1)
    here.protect()
    here.seconds(100)
    only(here.verdict(), "1.000 were without a stop for 61.0 s", unprotected_over_limit=1)


def test_one_that_is_bare_to_the_end_is_found_too() -> None:
    here = Rehearsed()
    here.enter()
    here.seconds(LIMIT_S + 1)
    only(here.verdict(), "without a stop for 61.0 s", unprotected_over_limit=1)


def test_exactly_the_limit_is_not_too_long() -> None:
    here = Rehearsed()
    here.enter()
    here.seconds(LIMIT_S)
    here.protect()
    assert here.verdict().findings == ()


def test_a_time_in_which_the_exchange_takes_no_orders_does_not_count() -> None:
    here = Rehearsed()
    here.enter()
    here.seconds(30)
    here.takes_orders = False
    here.seconds(600)
    here.takes_orders = True
    here.seconds(30)
    here.protect()
    found = here.verdict()
    assert found.findings == ()
    assert found.longest_unprotected_s == 60.0


def test_each_spell_counts_for_itself() -> None:
    here = Rehearsed()
    here.enter()
    here.seconds(40)
    order = here.protect()
    here.seconds(10)
    here.floor.engine.cancel(order.order_id)
    here.seconds(40)
    here.floor.engine.place(here.floor.ticket(Side.SELL, "1", stop="90", limit="89"))
    assert [spell.seconds for spell in here.watch.spells] == [40.0, 40.0]


@pytest.mark.parametrize(
    ("side", "quantity", "bare"),
    [(Side.SELL, "1", "0"), (Side.SELL, "0.4", "0.6"), (Side.BUY, "1", "1"), (Side.SELL, "0.99", "0")],
)
def test_only_a_stop_on_the_other_side_covers_and_only_as_much_as_it_takes_back(
    side: Side, quantity: str, bare: str
) -> None:
    here = Rehearsed()
    here.enter()
    stop = {Side.SELL: {"stop": "90", "limit": "89"}, Side.BUY: {"stop": "110", "limit": "111"}}[side]
    here.floor.engine.place(here.floor.ticket(side, quantity, **stop))
    assert here.watch.uncovered() == D(bare)


def test_a_target_or_a_stop_that_was_reached_and_not_filled_covers_nothing() -> None:
    here = Rehearsed()
    here.enter()
    target = here.floor.sell("1", limit="110")
    assert here.watch.uncovered() == 1
    here.floor.engine.cancel(target.order_id)
    here.protect()
    assert here.watch.uncovered() == 0
    here.floor.quote("80", "81")
    assert here.watch.uncovered() == 1


def test_a_short_position_is_covered_by_a_purchase() -> None:
    floor = Floor(PERP)
    watch = Watch(floor.engine, PERP, lambda: floor.now_ns, lambda: True, lambda: D(0))
    floor.quote("100", "100.1")
    floor.sell("2")
    assert (watch.held(), watch.uncovered()) == (D(-2), D(2))
    floor.buy("2", stop="110", reduce_only=True)
    assert watch.uncovered() == 0
    assert watch.executions == 1


def test_an_entry_on_a_price_that_is_too_old_is_found_as_blind() -> None:
    here = Rehearsed()
    heard, limit_ns = Heard(SPOT.key), here.state.limits.price_age_ns
    (at_ns,) = [fact.at_ns for fact in here.facts if isinstance(fact, f.IntentJudged)]

    def found() -> Verdict:
        return judge(
            here.facts, here.state, here.floor.engine, here.submissions, [here.watch], heard={SPOT.key: heard}
        )

    assert here.verdict().blind == 0, "nothing is known of what it heard"
    only(found(), "was approved without any price", blind=1)
    for told_ns, blind in ((at_ns - limit_ns - NS_PER_SECOND, 1), (at_ns - limit_ns, 0)):
        heard.take(Quote(SPOT.key, told_ns, D(100), D(100), D(1), D(1)), told_ns)
        assert found().blind == blind
    heard.take(Quote(SPOT.key, at_ns + 1, D(100), D(100), D(1), D(1)), at_ns + 1)
    assert found().blind == 0
