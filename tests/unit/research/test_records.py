"""Trades, refusals and excursions are read off the facts of a run, and agree with a pencil."""

from decimal import Decimal

import numpy as np
import pytest
from msgspec.structs import replace

from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import LayerReport, Verdict
from neuratrade.core.model.facts import CloseReason
from neuratrade.core.model.intent import Direction, OpenIntent, Stop, TakeProfit
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.core.model.orders import Fill, Liquidity, Side
from neuratrade.research.columns import Columns
from neuratrade.research.records import FactReader, Records, equity_curve, turnover_of
from neuratrade.research.result import TradeDone
from tests.unit.research.small_desk import BEGIN_NS, BTC

D = Decimal
SPAN = NS_PER_MINUTE
LOWS = (98.0, 97.0, 95.0, 99.0, 90.0)
HIGHS = (102.0, 103.0, 104.0, 108.0, 120.0)
CLOSES = (100.0, 101.0, 102.0, 105.0, 100.0)


def five(instrument: object = BTC) -> dict[str, Columns]:
    ts = BEGIN_NS + SPAN * np.arange(5, dtype=np.int64)
    closes = np.array(CLOSES)
    return {BTC.key: Columns(instrument, SPAN, ts, closes, np.array(HIGHS), np.array(LOWS), closes, closes)}  # type: ignore[arg-type]


def opens(bar: int, seconds: float = 0.0) -> int:
    return BEGIN_NS + bar * SPAN + round(seconds * NS_PER_SECOND)


def intent(direction: Direction = Direction.LONG, stop: str = "96") -> OpenIntent:
    return OpenIntent(
        intent_id="one",
        account_id="a",
        operator_id="o",
        instrument=BTC.key,
        direction=direction,
        trigger_price=D(100),
        protection=Stop(D(stop), trail_fraction=D("0.01")),
        take_profits=(TakeProfit(D(105), D("0.5")), TakeProfit(D(110), D("0.5"))),
        confidence=D(1),
        strategy_ref="rule",
        created_ns=BEGIN_NS,
        max_hold_ns=60 * SPAN,
    )


def judged(asked: OpenIntent, *layers: LayerReport) -> f.IntentJudged:
    return f.IntentJudged(BEGIN_NS, asked, not layers, D(1), layers, f.MarketSeen())


def closed(entry_ns: int, exit_ns: int, entry: str, exit: str, **changes: object) -> f.BracketClosed:
    fact = f.BracketClosed(
        at_ns=exit_ns,
        bracket_id="one",
        reason=CloseReason.TP,
        entered=D(2),
        entry_price=D(entry),
        exit_price=D(exit),
        fees=D("0.5"),
        pnl=D("7.5"),
        opened_ns=entry_ns,
        unprotected_ms=0,
        account_id="a",
        lane="tactical",
    )
    return replace(fact, **changes)


def read(facts: list[f.Fact], columns: dict[str, Columns]) -> Records:
    reader = FactReader(columns)
    reader.record(facts)
    return reader.records


def trade(fact: f.BracketClosed, asked: OpenIntent | None = None, instrument: object = BTC) -> TradeDone:
    (done,) = read([judged(asked or intent()), fact], five(instrument)).trades
    return done


def test_a_trade_holds_what_its_bracket_and_its_proposal_say() -> None:
    done = trade(closed(opens(1), opens(3, 30), "100", "104"))
    assert (done.intent_id, done.instrument, done.strategy, done.direction) == (
        "one",
        BTC.key,
        "rule",
        "LONG",
    )
    assert (done.quantity, done.entry_price, done.exit_price) == (D(2), D(100), D(104))
    assert (done.stop_price, done.targets) == (D(96), (D(105), D(110)))
    assert (done.pnl, done.fees, done.reason, done.lane) == (D("7.5"), D("0.5"), "TP", "tactical")
    assert done.return_fraction == 7.5 / 200
    assert (done.risk, done.r_multiple) == (D(8), 7.5 / 8)
    assert done.bars_held == 2


def test_money_is_told_in_the_accounts_currency_and_shares_are_not() -> None:
    done = trade(closed(opens(1), opens(3), "100", "104", rate=D("0.5")))
    assert (done.pnl, done.fees, done.risk) == (D("3.75"), D("0.25"), D(4))
    assert (done.return_fraction, done.r_multiple) == (7.5 / 200, 7.5 / 8)


def test_a_multiplier_counts_in_what_was_invested_and_risked() -> None:
    done = trade(closed(opens(1), opens(3), "100", "104"), instrument=replace(BTC, multiplier=D(5)))
    assert (done.return_fraction, done.risk) == (7.5 / 1000, D(40))


@pytest.mark.parametrize(
    ("direction", "adverse", "favourable"), [(Direction.LONG, 0.05, 0.04), (Direction.SHORT, 0.04, 0.05)]
)
def test_excursions_count_bars_wholly_lived_through_and_the_exit(
    direction: Direction, adverse: float, favourable: float
) -> None:
    # Entered at the open of bar 1, left in bar 3: bars 1 and 2 (lows 97, 95; highs 103, 104), and the exit.
    done = trade(closed(opens(1), opens(3, 30), "100", "101"), intent(direction))
    assert done.adverse_fraction == pytest.approx(adverse)
    assert done.favourable_fraction == pytest.approx(favourable)


def test_a_bar_entered_in_its_middle_may_have_moved_before_and_does_not_count() -> None:
    # Of bars 2 and 3 only bar 3 was wholly lived through: low 99, high 108.
    done = trade(closed(opens(2, 30), opens(4, 30), "100", "101"))
    assert done.adverse_fraction == pytest.approx(0.01)
    assert done.favourable_fraction == pytest.approx(0.08)


def test_a_trade_inside_one_bar_has_seen_its_exit_alone() -> None:
    won = trade(closed(opens(2), opens(2, 50), "100", "103"))
    lost = trade(closed(opens(2), opens(2, 50), "100", "96"))
    assert [won.adverse_fraction, won.favourable_fraction] == pytest.approx([0.0, 0.03])
    assert won.bars_held == 0
    assert [lost.adverse_fraction, lost.favourable_fraction] == pytest.approx([0.04, 0.0])


def test_an_entry_that_never_filled_is_no_trade() -> None:
    found = read([judged(intent()), closed(opens(1), opens(2), "0", "0", entered=D(0))], five())
    assert (found.trades, found.intents) == ((), 1)


def test_a_refusal_names_the_layers_that_blocked_and_keeps_its_bracket() -> None:
    layers = (
        LayerReport("confidence", Verdict.REFUSE, "too low", "0.5", "0.75"),
        LayerReport("lot", Verdict.RESIZE, "floored", "1.01", "1"),
        LayerReport("regime", Verdict.NOT_EVALUATED, "unknown", "", ""),
    )
    found = read([judged(intent(), *layers)], five())
    (refused,) = found.refused
    assert (refused.refused_by, refused.reasons) == (("confidence", "regime"), ("too low", "unknown"))
    assert (refused.trigger_price, refused.stop_price, refused.target_price) == (D(100), D(96), D(105))
    assert refused.ladder == ((D(105), D("0.5")), (D(110), D("0.5")))
    assert (refused.trail_fraction, refused.max_hold_ns) == (D("0.01"), 60 * SPAN)
    assert (refused.outcome_fraction, refused.sliced) == (None, False)
    assert (found.trades, found.intents) == ((), 1)


def fill(at_ns: int, side: Side, quantity: str, price: str, fee: str, currency: str = "USDT") -> Fill:
    return Fill(
        f"{at_ns}", "c", "a", BTC.key, side, D(quantity), D(price), D(fee), currency, Liquidity.TAKER, at_ns
    )


def records(*fills: Fill, moved: tuple[f.CashMoved, ...] = ()) -> Records:
    return Records((), (), fills, moved, 0)


def curve(known: Records, instrument: object = BTC) -> tuple[list[float], list[float]]:
    found = equity_curve(five(instrument), known, D(1000), BEGIN_NS, BEGIN_NS + 5 * SPAN)
    assert found.at_ns.tolist() == [BEGIN_NS + SPAN * bar for bar in range(1, 6)]
    return found.value.tolist(), found.invested.tolist()


def test_equity_is_cash_and_what_is_held_at_each_close() -> None:
    bought, sold = (
        fill(opens(1, 0.1), Side.BUY, "2", "100", "1"),
        fill(opens(3, 0.1), Side.SELL, "2", "104", "1"),
    )
    value, invested = curve(records(bought, sold))
    assert value == [1000, 1000 - 201 + 202, 1000 - 201 + 204, 1006, 1006]
    assert invested == [0, 202, 204, 0, 0]


def test_shorts_are_worth_less_as_prices_rise() -> None:
    value, invested = curve(records(fill(opens(0), Side.SELL, "1", "100", "0")))
    assert value == [1000, 999, 998, 995, 1000]
    assert invested == [100, 101, 102, 105, 100]


def test_a_fee_in_base_is_taken_from_what_is_held_and_not_from_cash() -> None:
    spot = replace(BTC, kind="spot")
    value, invested = curve(records(fill(opens(0), Side.BUY, "1", "100", "0.1", "BTC")), spot)
    assert invested == pytest.approx([90, 90.9, 91.8, 94.5, 90])
    assert value == pytest.approx([990, 990.9, 991.8, 994.5, 990])


def test_a_multiplier_counts_in_cash_and_holdings() -> None:
    value, invested = curve(
        records(fill(opens(0), Side.BUY, "1", "100", "2")), replace(BTC, multiplier=D(10))
    )
    assert value == [998, 1008, 1018, 1048, 998]
    assert invested == [1000, 1010, 1020, 1050, 1000]


def test_cash_that_moved_counts_from_the_bar_it_falls_into() -> None:
    moved = f.CashMoved(opens(2), "a", "USDT", D("-3"), "funding")
    assert curve(records(moved=(moved,)))[0] == [1000, 997, 997, 997, 997]


def test_only_instants_after_the_start_and_up_to_the_end_are_on_the_curve() -> None:
    found = equity_curve(five(), records(), D(10), BEGIN_NS + 2 * SPAN, BEGIN_NS + 4 * SPAN)
    assert found.at_ns.tolist() == [BEGIN_NS + 3 * SPAN, BEGIN_NS + 4 * SPAN]
    assert found.value.tolist() == [10.0, 10.0]


def test_turnover_counts_both_sides_at_their_prices() -> None:
    fills = [fill(opens(1), Side.BUY, "2", "100", "1"), fill(opens(3), Side.SELL, "2", "104", "1")]
    assert turnover_of(fills, five()) == 408
    assert turnover_of(fills, five(replace(BTC, multiplier=D(5)))) == 2040
