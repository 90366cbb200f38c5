"""What OKX tells of an account: balances, positions, executions, what the key may do."""

from collections.abc import Callable
from decimal import Decimal

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import NS_PER_MS
from neuratrade.rehearsal import okx_words as words
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.okx_market import OkxMarket
from neuratrade.rehearsal.server import Credentials
from neuratrade.rehearsal.tape import plain

Params = dict[str, str]


class OkxAccount:
    """The private questions that are not about orders, by path below `/api/v5`."""

    def __init__(
        self, engine: MatchingEngine, market: OkxMarket, credentials: Credentials, now_ns: Callable[[], int]
    ) -> None:
        self._engine = engine
        self._market = market
        self._credentials = credentials
        self._now_ns = now_ns
        self.methods: dict[str, Callable[[Params], list[words.Row]]] = {
            "account/balance": lambda _: [self.balance()],
            "account/positions": self.positions,
            "account/config": self._config,
            "asset/currencies": self._currencies,
            "trade/fills": self._fills,
            "trade/fills-history": self._fills,
        }

    def balance(self) -> words.Row:
        """Every currency held."""
        engine, now = self._engine, words.ms(self._now_ns())
        margins = {item.quote for item in engine.contracts.values() if item.is_derivative}
        details = []
        for name, value in engine.account.balances.items():
            tied = engine.margin() if name in margins else ZERO
            unrealised = self._unrealised() if name in margins else ZERO
            free = engine.free(name) - tied
            details.append(
                {
                    "availBal": plain(free),
                    "availEq": plain(free + unrealised),
                    "cashBal": plain(value),
                    "ccy": name,
                    "eq": plain(value + unrealised),
                    "frozenBal": plain(value - free),
                    "imr": plain(tied),
                    "liab": "0",
                    "ordFrozen": plain(value - engine.free(name)),
                    "uTime": now,
                    "upl": plain(unrealised),
                }
            )
        return {"adjEq": "", "details": details, "isoEq": "0", "totalEq": "0", "uTime": now}

    def positions(self, params: Params, *, flat: bool = False) -> list[words.Row]:
        """Derivative positions. flat: those that are flat by now, too."""
        wanted = params.get("instId", "").split(",")
        rows: list[words.Row] = []
        for key, holding in self._engine.account.positions.items():
            contract = self._engine.contracts[key]
            name = words.inst_id(contract)
            if not (holding.quantity or flat) or wanted not in ([""], [name]):
                continue
            price = self._mark(key)
            notional = contract.notional(holding.quantity, price)
            gain = (price - holding.entry_price) * holding.quantity * contract.multiplier
            margin = contract.notional(holding.quantity, holding.entry_price) * contract.initial_margin
            now = words.ms(self._now_ns())
            rows.append(
                {
                    "adl": "1",
                    "availPos": "",
                    "avgPx": plain(holding.entry_price),
                    "cTime": now,
                    "ccy": contract.quote,
                    "imr": plain(margin),
                    "instId": name,
                    "instType": words.inst_type(contract),
                    "last": plain(price),
                    "lever": plain(1 / contract.initial_margin, 0),
                    "liqPx": "",
                    "margin": "",
                    "markPx": plain(price),
                    "mgnMode": "cross",
                    "mgnRatio": "",
                    "mmr": plain(notional * (contract.maintenance_margin or ZERO)),
                    "notionalUsd": plain(notional),
                    "pos": plain(holding.quantity),
                    "posCcy": "",
                    "posId": "1",
                    "posSide": "net",
                    "tradeId": "",
                    "uTime": now,
                    "upl": plain(gain),
                    "uplRatio": plain(gain / margin, 8) if margin else "0",
                }
            )
        return rows

    def _mark(self, key: str) -> Decimal:
        quote = self._engine.quotes.get(key)
        return (None if quote is None else quote.mid) or self._engine.account.positions[key].entry_price

    def _unrealised(self) -> Decimal:
        return sum(
            (
                (self._mark(key) - holding.entry_price)
                * holding.quantity
                * self._engine.contracts[key].multiplier
                for key, holding in self._engine.account.positions.items()
            ),
            ZERO,
        )

    def _config(self, _: Params) -> list[words.Row]:
        return [
            {
                "acctLv": "2",
                "acctStpMode": "cancel_maker",
                "autoLoan": False,
                "ip": "",
                "label": "rehearsal",
                "level": "Lv1",
                "mainUid": "1",
                "perm": "read_only,trade" + ",withdraw" * self._credentials.may_withdraw,
                "posMode": "net_mode",
                "uid": "1",
            }
        ]

    def _currencies(self, _: Params) -> list[words.Row]:
        names = {name for item in self._engine.contracts.values() for name in (item.base, item.quote)}
        return [
            {
                "canDep": True,
                "canInternal": True,
                "canWd": True,
                "ccy": name,
                "chain": f"{name}-{name}",
                "mainNet": True,
                "maxFee": "0",
                "maxWd": "0",
                "minDep": "0",
                "minFee": "0",
                "minWd": "0",
                "name": name,
                "wdTickSz": "8",
            }
            for name in sorted(names)
        ]

    def _fills(self, params: Params) -> list[words.Row]:
        begin, end = int(params.get("begin") or 0), int(params.get("end") or 1 << 62)
        after = int(params.get("after") or 1 << 62)
        rows = []
        for done in reversed(self._engine.executions):
            contract = self._engine.contracts[done.symbol]
            row = words.fill_row(done, self._engine.orders[done.order_id], contract)
            asked = ("instType", "instId", "ordId")
            if all(params.get(name, row[name]) == row[name] for name in asked) and (
                begin <= done.at_ns // NS_PER_MS <= end and done.number < after
            ):
                rows.append(row)
        return rows[: min(int(params.get("limit") or 100), 100)]
