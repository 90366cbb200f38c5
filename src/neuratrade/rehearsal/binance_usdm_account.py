"""What Binance USD-M futures tell of an account: wallet, positions, executions, what the key may do."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.rehearsal import binance_usdm_words as words
from neuratrade.rehearsal.accounts import Holding, SimAccount
from neuratrade.rehearsal.orders import Change, ChangeKind, Execution
from neuratrade.rehearsal.tape import plain

if TYPE_CHECKING:
    from neuratrade.rehearsal.binance_usdm import BinanceUsdm

Params = dict[str, str]


class BinanceUsdmAccount:
    """The private questions that are not about orders, by path below `/fapi`."""

    def __init__(self, venue: "BinanceUsdm") -> None:
        self._venue = venue
        self._shadow = SimAccount({})
        self._realised: dict[int, Decimal] = {}
        venue.engine.listen(self._change)
        self.methods: dict[str, Callable[[Params], object]] = {
            "v1/userTrades": self._trades,
            "v2/account": self._account,
            "v3/account": self._account,
            "v2/balance": lambda _: self._assets(),
            "v3/balance": lambda _: self._assets(),
            "v2/positionRisk": self._risks,
            "v3/positionRisk": self._risks,
            "v1/leverageBracket": self._brackets,
            "v1/positionSide/dual": lambda _: {"dualSidePosition": False},
            "v1/multiAssetsMargin": lambda _: {"multiAssetsMargin": False},
        }

    def realised(self, done: Execution) -> Decimal:
        """What an execution realised, quote currency, before its fee."""
        return self._realised[done.number]

    def wallet_rows(self) -> list[words.Row]:
        """Balances as `ACCOUNT_UPDATE` has them."""
        return [
            {"a": name, "wb": plain(value), "cw": plain(value), "bc": "0"}
            for name, value in self._venue.engine.account.balances.items()
        ]

    def position_row(self, contract: Instrument) -> words.Row:
        """A position as `ACCOUNT_UPDATE` has it."""
        holding = self._venue.engine.account.positions.get(contract.key, Holding())
        return {
            "s": words.symbol(contract),
            "pa": plain(holding.quantity),
            "ep": plain(holding.entry_price),
            "bep": plain(holding.entry_price),
            "cr": plain(sum(self._realised.values(), ZERO)),
            "up": plain(self._gain(contract, holding)),
            "mt": "cross",
            "iw": "0",
            "ps": "BOTH",
        }

    def key_row(self) -> words.Row:
        """What the key may do."""
        withdraws = self._venue.credentials.may_withdraw
        return {
            "ipRestrict": False,
            "createTime": 1698645219000,
            "enableReading": True,
            "enableWithdrawals": withdraws,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": True,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableFixApiTrade": False,
            "enableFixReadOnly": True,
            "enableSpotAndMarginTrading": False,
            "enablePortfolioMarginTrading": False,
        }

    def _change(self, change: Change) -> None:
        done = change.execution
        if change.kind is not ChangeKind.TRADED or done is None:
            return
        contract = self._venue.engine.contracts[done.symbol]
        before = self._shadow.balances.get(contract.quote, ZERO)
        self._shadow.book(contract, done)
        self._realised[done.number] = self._shadow.balances[contract.quote] - before + done.fee

    def _mark(self, contract: Instrument) -> Decimal:
        quote = self._venue.engine.quotes.get(contract.key)
        return (None if quote is None else quote.mid) or ZERO

    def _gain(self, contract: Instrument, holding: Holding) -> Decimal:
        return (self._mark(contract) - holding.entry_price) * holding.quantity * contract.multiplier

    def _held(self) -> list[tuple[Instrument, Holding]]:
        engine = self._venue.engine
        return [
            (engine.contracts[key], holding)
            for key, holding in engine.account.positions.items()
            if holding.quantity
        ]

    def _assets(self) -> list[words.Row]:
        engine, now = self._venue.engine, words.ms(self._venue.now_ns)
        rows: list[words.Row] = []
        for name, value in engine.account.balances.items():
            held = [(item, holding) for item, holding in self._held() if item.quote == name]
            gain = sum((self._gain(item, holding) for item, holding in held), ZERO)
            margin = engine.margin() if held else ZERO
            rows.append(
                {
                    "accountAlias": "rehearsal",
                    "asset": name,
                    "balance": plain(value),
                    "walletBalance": plain(value),
                    "unrealizedProfit": plain(gain),
                    "crossUnPnl": plain(gain),
                    "marginBalance": plain(value + gain),
                    "maintMargin": plain(
                        sum(
                            (self._notional(*pair) * (pair[0].maintenance_margin or ZERO) for pair in held),
                            ZERO,
                        )
                    ),
                    "initialMargin": plain(margin),
                    "positionInitialMargin": plain(margin),
                    "openOrderInitialMargin": "0",
                    "crossWalletBalance": plain(value),
                    "availableBalance": plain(value + gain - margin),
                    "maxWithdrawAmount": plain(value - margin),
                    "marginAvailable": True,
                    "updateTime": now,
                }
            )
        return rows

    def _notional(self, contract: Instrument, holding: Holding) -> Decimal:
        return contract.notional(holding.quantity, self._mark(contract))

    def _account(self, _: Params) -> object:
        assets = self._assets()
        usd = [row for row in assets if row["asset"] == "USDT"] or assets
        first = usd[0] if usd else {}
        totals = {
            "totalInitialMargin": "initialMargin",
            "totalMaintMargin": "maintMargin",
            "totalWalletBalance": "walletBalance",
            "totalUnrealizedProfit": "unrealizedProfit",
            "totalMarginBalance": "marginBalance",
            "totalPositionInitialMargin": "positionInitialMargin",
            "totalOpenOrderInitialMargin": "openOrderInitialMargin",
            "totalCrossWalletBalance": "crossWalletBalance",
            "totalCrossUnPnl": "crossUnPnl",
            "availableBalance": "availableBalance",
            "maxWithdrawAmount": "maxWithdrawAmount",
        }
        now = words.ms(self._venue.now_ns)
        positions = [
            {
                "symbol": words.symbol(contract),
                "positionSide": "BOTH",
                "positionAmt": plain(holding.quantity),
                "unrealizedProfit": plain(self._gain(contract, holding)),
                "isolatedMargin": "0",
                "notional": plain(self._signed_notional(contract, holding)),
                "isolatedWallet": "0",
                "initialMargin": plain(self._notional(contract, holding) * contract.initial_margin),
                "maintMargin": plain(
                    self._notional(contract, holding) * (contract.maintenance_margin or ZERO)
                ),
                "updateTime": now,
            }
            for contract, holding in self._held()
        ]
        return {name: first.get(of, "0") for name, of in totals.items()} | {
            "assets": assets,
            "positions": positions,
        }

    def _signed_notional(self, contract: Instrument, holding: Holding) -> Decimal:
        return self._notional(contract, holding) * (1 if holding.quantity > 0 else -1)

    def _risks(self, params: Params) -> object:
        wanted = params.get("symbol")
        now = words.ms(self._venue.now_ns)
        return [
            {
                "symbol": words.symbol(contract),
                "positionSide": "BOTH",
                "positionAmt": plain(holding.quantity),
                "entryPrice": plain(holding.entry_price),
                "breakEvenPrice": plain(holding.entry_price),
                "markPrice": plain(self._mark(contract)),
                "unRealizedProfit": plain(self._gain(contract, holding)),
                "liquidationPrice": "0",
                "isolatedMargin": "0",
                "notional": plain(self._signed_notional(contract, holding)),
                "marginAsset": contract.quote,
                "isolatedWallet": "0",
                "initialMargin": plain(self._notional(contract, holding) * contract.initial_margin),
                "maintMargin": plain(
                    self._notional(contract, holding) * (contract.maintenance_margin or ZERO)
                ),
                "positionInitialMargin": plain(self._notional(contract, holding) * contract.initial_margin),
                "openOrderInitialMargin": "0",
                "adl": 1,
                "bidNotional": "0",
                "askNotional": "0",
                "updateTime": now,
            }
            for contract, holding in self._held()
            if wanted in (None, words.symbol(contract))
        ]

    def _brackets(self, _: Params) -> object:
        return [
            {
                "symbol": words.symbol(contract),
                "brackets": [
                    {
                        "bracket": 1,
                        "initialLeverage": int(ONE / contract.initial_margin),
                        "notionalCap": 1_000_000_000,
                        "notionalFloor": 0,
                        "maintMarginRatio": float(contract.maintenance_margin or ZERO),
                        "cum": 0.0,
                    }
                ],
            }
            for contract in self._venue.engine.contracts.values()
        ]

    def _trades(self, params: Params) -> object:
        contract = self._venue.market.contract(params)
        begin, end = int(params.get("startTime") or 0), int(params.get("endTime") or 1 << 62)
        since = int(params.get("fromId") or 0)
        number = int(params["orderId"]) - words.FIRST_ORDER if "orderId" in params else None
        found = [
            done
            for done in self._venue.engine.executions
            if done.symbol == contract.key
            and number in (None, done.order_id)
            and begin <= words.ms(done.at_ns) <= end
            and done.number >= since
        ]
        limit = min(int(params.get("limit") or 500), 1000)
        page = found[:limit] if "fromId" in params or "startTime" in params else found[-limit:]
        return [words.trade_row(done, contract, self.realised(done)) for done in page]
