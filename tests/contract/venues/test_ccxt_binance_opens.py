"""What the ccxt adapter wants to know before it opens, and what it takes no part in."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import LookUpOrder
from neuratrade.core.model.errors import NeuraTradeError, Refused, UsageError
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.orders import OrderRequest, OrderRole, OrderType, Side
from neuratrade.feeds.clock import SystemClock
from neuratrade.rehearsal.binance_spot import KEY, SECRET, BinanceSpotSimulator
from neuratrade.venues.ccxt.dialects import dialect_of
from neuratrade.venues.ccxt.errors import Doubtful
from neuratrade.venues.ccxt.exchange import Keys
from neuratrade.venues.ccxt.venue import CcxtVenue
from tests.contract.rehearsal.binance_world import BTC, D, binance, place_of

ETH = msgspec.structs.replace(BTC, asset="ETH/USDT", base="ETH")
BTC_IN_EUR = msgspec.structs.replace(BTC, asset="BTC/EUR", quote="EUR")
PERP = msgspec.structs.replace(BTC, kind=InstrumentKind.PERPETUAL)
TINY = msgspec.structs.replace(
    BTC, asset="PEPE/USDT", base="PEPE", tick=D("0.00000001"), lot=D(1), min_quantity=D(1)
)


def venue(
    simulator: BinanceSpotSimulator | None, contracts: Sequence[Instrument] = (BTC,), **how: Any
) -> CcxtVenue:
    """The adapter on a simulator."""
    wanted = {
        "name": "binance",
        "keys": Keys(KEY, SECRET),
        "elsewhere": simulator and place_of(simulator),
        **how,
    }
    return CcxtVenue("paper", contracts=contracts, clock=SystemClock(), **wanted)


async def test_contracts_are_read_with_their_grid_fees_and_time() -> None:
    async with binance(contracts=(BTC, ETH)) as simulator, venue(simulator) as opened:
        read = opened.markets
        assert read.at_ns > 0
        assert {key: read.contracts[key] for key in (BTC.key, ETH.key)} == {BTC.key: BTC, ETH.key: ETH}
        assert opened.permissions.may_withdraw is False


REFUSED: list[tuple[dict[str, Any], type[NeuraTradeError], str]] = [
    ({"name": "binanse"}, UsageError, "did you mean .*binance"),
    ({"name": ""}, UsageError, "no exchange called ''"),
    ({"name": "alpaca; rm"}, UsageError, "no exchange called"),
    ({"contracts": (ETH,)}, UsageError, "binance has no market ETH/USDT of kind spot"),
    ({"contracts": (PERP,)}, UsageError, "no market BTC/USDT of kind perpetual"),
    ({"contracts": (BTC, BTC_IN_EUR)}, UsageError, r"BTC/EUR of kind spot|share one holding of BTC"),
    ({"elsewhere": "api.binance.com"}, Refused, "orders are not sent to api.binance.com"),
    ({"elsewhere": None}, Refused, r"orders are not sent to api\.binance\.com"),
]


@pytest.mark.parametrize(("how", "kind", "words"), REFUSED, ids=[words for _, _, words in REFUSED])
async def test_what_cannot_be_traded_is_not_opened(
    how: dict[str, Any], kind: type[NeuraTradeError], words: str
) -> None:
    async with binance() as simulator:
        with pytest.raises(kind, match=words):
            async with venue(simulator, **how):
                pass
        assert not simulator.engine.orders


async def test_two_contracts_that_share_a_holding_are_refused() -> None:
    async with binance(contracts=(BTC, BTC_IN_EUR)) as simulator:
        with pytest.raises(UsageError, match="BTC/USDT@binance and BTC/EUR@binance share one holding of BTC"):
            async with venue(simulator, contracts=(BTC, BTC_IN_EUR)):
                pass


@pytest.mark.parametrize("right", ["enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer"])
async def test_a_key_that_may_move_money_away_is_refused(right: str) -> None:
    async with binance() as simulator:
        simulator.account.restrictions[right] = True
        with pytest.raises(Refused, match=f"may move money away.*{right}.*one that may trade only"):
            async with venue(simulator):
                pass


@pytest.mark.parametrize("keys", [Keys(KEY, "wrong"), Keys("wrong", SECRET), Keys("", "")])
async def test_keys_the_venue_does_not_know_open_nothing(keys: Keys) -> None:
    async with binance() as simulator:
        with pytest.raises(Doubtful) as refused:
            async with venue(simulator, keys=keys):
                pass
        assert SECRET not in str(refused.value)


async def test_a_sandbox_that_is_none_is_not_opened() -> None:
    with pytest.raises(UsageError, match="kraken has no sandbox that ccxt knows: rehearse instead"):
        async with venue(None, name="kraken", elsewhere=None, sandbox=True):
            pass


def test_keys_are_not_shown() -> None:
    assert repr(Keys("id", "very secret", "word")) == "Keys(…)"


async def test_numbers_leave_without_exponent_and_without_a_digit_lost() -> None:
    async with binance(contracts=(BTC, TINY)) as simulator, venue(simulator, (BTC, TINY)) as opened:
        request = OrderRequest(
            "f" * 32,
            "paper",
            TINY.key,
            Side.BUY,
            OrderType.LIMIT,
            Decimal(12345678),
            OrderRole.ENTRY,
            "b",
            limit_price=Decimal("0.00000123"),
        )
        asked = opened._worded(request, TINY, "PEPE/USDT")
        await opened._exchange.create_order(
            "PEPE/USDT", asked.type, "buy", format(request.quantity, "f"), asked.price, asked.params
        )
        placed = simulator.engine.find("f" * 32)
        assert placed is not None
        assert (placed.quantity, placed.limit_price) == (request.quantity, request.limit_price)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"quantity": D("0.000015")}, "0.000015 is off the grid of BTC/USDT"),
        ({"limit_price": D("99.005")}, "99.005 is off the grid of BTC/USDT"),
        ({"quantity": D("0.000001")}, "not sent"),
    ],
)
async def test_an_order_that_would_be_rounded_is_not_sent(changed: dict[str, Any], words: str) -> None:
    async with binance() as simulator, venue(simulator) as opened:
        request = OrderRequest(
            "f" * 32,
            "paper",
            BTC.key,
            Side.BUY,
            OrderType.LIMIT,
            D(1),
            OrderRole.ENTRY,
            "b",
            limit_price=D(99),
        )
        with pytest.raises(NeuraTradeError, match=re.escape(words)):
            opened._worded(msgspec.structs.replace(request, **changed), BTC, "BTC/USDT")
        assert not simulator.submissions


async def test_an_amount_of_more_digits_than_a_float_has_is_read_whole() -> None:
    async with binance() as simulator, venue(simulator) as opened:
        raw = {
            "symbol": "BTCUSDT",
            "id": 28457,
            "orderId": 100234,
            "price": "98765432.12345678",
            "qty": "123456789012.12345678",
            "commission": "123456789.12345678",
            "commissionAsset": "BTC",
            "time": 1_795_000_000_000,
            "isBuyer": True,
            "isMaker": False,
        }
        told: Any = opened._exchange
        fill = opened._fill(told.parse_trade(raw, told.market("BTC/USDT")), "f" * 32, BTC)
        assert (fill.quantity, fill.price) == (D("123456789012.12345678"), D("98765432.12345678"))
        assert (fill.fee, fill.fee_currency) == (D("123456789.12345678"), "BTC")


async def test_an_order_whose_executions_are_not_all_listed_yet_is_not_told_of() -> None:
    async with binance() as simulator, venue(simulator) as opened:
        asked: Any = opened._exchange
        await asked.create_order("BTC/USDT", "market", "buy", "0.5", None, {"clientOrderId": "f" * 32})
        question = LookUpOrder("paper", BTC.key, "f" * 32)
        kept, simulator.engine.executions = simulator.engine.executions, []
        with pytest.raises(Doubtful, match=r"0\.5\d* of f+ are filled, executions of 0 are listed"):
            await opened.look_up(question)
        simulator.engine.executions = kept
        told = await opened.look_up(question)
        assert [f.kind_of(event) for event in told] == ["order_accepted", "order_filled", "order_cancelled"]


def test_the_default_says_what_it_cannot_do() -> None:
    unknown = dialect_of("bitstamp")
    assert not unknown.rules.rests_stops
    assert OrderType.STOP not in unknown.order_types
    request = OrderRequest(
        "f" * 32, "paper", BTC.key, Side.SELL, OrderType.STOP, D(1), OrderRole.STOP, "b", stop_price=D(90)
    )
    with pytest.raises(ValueError, match="no stop order is known to rest at this venue"):
        unknown.ask(request, BTC)
