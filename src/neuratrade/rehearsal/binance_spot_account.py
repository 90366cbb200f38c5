"""The account at the Binance spot simulator: balances, commissions, and what its key may do."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from aiohttp import web

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.rehearsal import binance_spot_words as words
from neuratrade.rehearsal.binance_spot_door import Asked, Door
from neuratrade.rehearsal.binance_spot_words import Json, millis
from neuratrade.rehearsal.matching import MatchingEngine


class Account:
    """One account. restrictions: what its key may do."""

    def __init__(
        self, engine: MatchingEngine, door: Door, symbols: Mapping[str, Instrument], now_ns: Callable[[], int]
    ) -> None:
        self._engine = engine
        self._door = door
        self._symbols = symbols
        self._now_ns = now_ns
        self.restrictions = {
            "ipRestrict": True,
            "enableReading": True,
            "enableSpotAndMarginTrading": True,
            "enableWithdrawals": False,
            "enableInternalTransfer": False,
            "permitsUniversalTransfer": False,
            "enableFutures": False,
            "enableMargin": False,
        }

    def routes(self) -> list[web.RouteDef]:
        """Of version 3, and the few of `sapi` that a desk asks."""
        signed = self._door.signed
        return [
            web.get("/api/v3/account", signed(20, self._account)),
            web.get("/sapi/v1/account/apiRestrictions", signed(1, self._api_restrictions)),
            web.get("/sapi/v1/asset/tradeFee", signed(1, self._trade_fee)),
            web.get("/sapi/v1/capital/config/getall", signed(10, self._nothing)),
            web.get("/sapi/v1/margin/allAssets", signed(1, self._nothing)),
            web.get("/sapi/v1/margin/allPairs", signed(1, self._nothing)),
            web.get("/sapi/v1/margin/isolated/allPairs", signed(1, self._nothing)),
        ]

    def _account(self, _: Asked) -> Json:
        some = next(iter(self._symbols.values()))
        maker, taker = words.commission(some.maker_fee_bps), words.commission(some.taker_fee_bps)
        return {
            "makerCommission": int(some.maker_fee_bps),
            "takerCommission": int(some.taker_fee_bps),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": maker,
                "taker": taker,
                "buyer": words.text(ZERO),
                "seller": words.text(ZERO),
            },
            "canTrade": True,
            "canWithdraw": self.restrictions["enableWithdrawals"],
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": millis(self._now_ns()),
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": words.text(free), "locked": words.text(locked)}
                for asset, (free, locked) in self.balances().items()
            ],
            "permissions": ["SPOT"],
            "uid": 1,
        }

    def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Free and locked, by currency."""
        engine = self._engine
        locked = engine.account.locked(engine.open_orders(), engine.contracts)
        return {
            asset: (total - locked.get(asset, ZERO), locked.get(asset, ZERO))
            for asset, total in engine.account.balances.items()
        }

    def _api_restrictions(self, _: Asked) -> Json:
        return {"createTime": millis(self._now_ns()), **self.restrictions}

    def _nothing(self, _: Asked) -> list[Json]:
        return []

    def _trade_fee(self, _: Asked) -> list[Json]:
        return [
            {
                "symbol": symbol,
                "makerCommission": words.commission(item.maker_fee_bps),
                "takerCommission": words.commission(item.taker_fee_bps),
            }
            for symbol, item in self._symbols.items()
        ]
