"""What Alpaca's simulator tells of its account: money, holdings, executions, and what can be traded."""

from datetime import UTC, datetime
from decimal import Decimal

from aiohttp import web

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.rehearsal.alpaca_answers import Json, answer, text, uuid_of
from neuratrade.rehearsal.alpaca_means import MULTIPLIER, SHORTS_FROM, Means
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import Execution
from neuratrade.venues.alpaca.market_wire import moment


class AlpacaAccount:
    """Answers questions; changes nothing."""

    def __init__(self, engine: MatchingEngine, means: Means) -> None:
        self._engine = engine
        self._means = means
        self._symbols = {item.asset: item for item in engine.contracts.values()}

    async def account(self, _request: web.Request) -> web.Response:
        """`/v2/account`."""
        means = self._means
        worths = [means.worth(item) for item in self._symbols.values()]
        nothing, equity = Decimal(0), text(means.equity)
        return answer(
            {
                "id": uuid_of(0),
                "account_number": "REHEARSAL",
                "status": "ACTIVE",
                "crypto_status": "ACTIVE",
                "currency": "USD",
                "cash": text(means.cash),
                "equity": equity,
                "last_equity": equity,
                "portfolio_value": equity,
                "long_market_value": text(sum((worth for worth in worths if worth > 0), nothing)),
                "short_market_value": text(sum((worth for worth in worths if worth < 0), nothing)),
                "buying_power": text(means.buying_power),
                "non_marginable_buying_power": text(self._engine.free("USD")),
                "trading_blocked": False,
                "transfers_blocked": False,
                "account_blocked": False,
                "trade_suspended_by_user": False,
                "shorting_enabled": means.lends and means.equity >= SHORTS_FROM,
                "multiplier": text(MULTIPLIER) if means.lends else "1",
                "created_at": moment(0),
            }
        )

    async def positions(self, _request: web.Request) -> web.Response:
        """`/v2/positions`."""
        held = [item for item in self._symbols.values() if self._means.held(item)]
        return answer([self._position(item) for item in held])

    async def fills(self, request: web.Request) -> web.Response:
        """Executions, the newest first, `page_size` of them from behind the one named by `page_token`."""
        found = [self._activity(item) for item in reversed(self._engine.executions)]
        token = request.query.get("page_token")
        first = next((place + 1 for place, item in enumerate(found) if item["id"] == token), 0)
        return answer(found[first : first + int(request.query.get("page_size", 100))])

    async def asset(self, request: web.Request) -> web.Response:
        """`/v2/assets/{symbol}`."""
        contract = self._symbols.get(request.match_info["symbol"])
        if contract is None:
            return answer({"code": 40410000, "message": "asset not found"}, 404)
        return answer(self._asset(contract))

    async def assets(self, request: web.Request) -> web.Response:
        """`/v2/assets` of one class."""
        wanted = request.query.get("asset_class", "us_equity")
        return answer([self._asset(item) for item in self._symbols.values() if class_of(item) == wanted])

    def _activity(self, done: Execution) -> Json:
        order = self._engine.orders[done.order_id]
        at = datetime.fromtimestamp(done.at_ns / NS_PER_SECOND, UTC)
        whole = done.total >= order.quantity
        return {
            "id": f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}::{uuid_of(done.number)}",
            "activity_type": "FILL",
            "transaction_time": moment(done.at_ns),
            "type": "fill" if whole else "partial_fill",
            "price": text(done.price),
            "qty": text(done.quantity),
            "side": done.side.value,
            "symbol": self._engine.contracts[done.symbol].asset,
            "leaves_qty": text(order.quantity - done.total),
            "order_id": uuid_of(done.order_id),
            "cum_qty": text(done.total),
            "order_status": "filled" if whole else "partially_filled",
        }

    def _position(self, contract: Instrument) -> Json:
        held, worth = self._means.held(contract), self._means.worth(contract)
        free = self._means.free_shares(contract)
        return {
            "asset_id": uuid_of(contract.asset),
            "symbol": contract.asset.replace("/", ""),
            "exchange": _exchange_of(contract),
            "asset_class": class_of(contract),
            "avg_entry_price": "0",
            "qty": text(held),
            "qty_available": text(free if held > 0 else -free),
            "side": "long" if held > 0 else "short",
            "market_value": text(worth),
            "cost_basis": "0",
            "unrealized_pl": "0",
            "unrealized_plpc": "0",
            "unrealized_intraday_pl": "0",
            "unrealized_intraday_plpc": "0",
            "current_price": text(worth / held),
            "lastday_price": "0",
            "change_today": "0",
        }

    def _asset(self, contract: Instrument) -> Json:
        is_lent = contract.kind is InstrumentKind.EQUITY and contract.asset not in self._means.hard_to_borrow
        found: Json = {
            "id": uuid_of(contract.asset),
            "class": class_of(contract),
            "exchange": _exchange_of(contract),
            "symbol": contract.asset,
            "name": contract.asset,
            "status": "active",
            "tradable": True,
            "marginable": contract.kind is InstrumentKind.EQUITY,
            "shortable": is_lent,
            "easy_to_borrow": is_lent,
            "fractionable": True,
        }
        if contract.kind is InstrumentKind.SPOT:
            found |= {
                "min_order_size": text(contract.min_quantity),
                "min_trade_increment": text(contract.lot),
                "price_increment": text(contract.tick),
            }
        return found


def class_of(contract: Instrument) -> str:
    """The venue's word for a kind of contract."""
    return "crypto" if contract.kind is InstrumentKind.SPOT else "us_equity"


def _exchange_of(contract: Instrument) -> str:
    return "CRYPTO" if contract.kind is InstrumentKind.SPOT else "NASDAQ"
