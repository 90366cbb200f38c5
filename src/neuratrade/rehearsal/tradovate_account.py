"""What Tradovate answers about an account: entities by number, by name and by what they belong to, and money.

Every kind of entity has the same endpoints: `list`, `item`, `items`, `deps` and `ldeps`, some also `find` and
`suggest`.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.orders import Side
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.tradovate_auth import USER, USER_ID
from neuratrade.rehearsal.tradovate_book import ACCOUNT, Book
from neuratrade.rehearsal.tradovate_contracts import Contracts
from neuratrade.rehearsal.tradovate_money import ACCOUNT_ID
from neuratrade.rehearsal.tradovate_risk import Risk
from neuratrade.rehearsal.tradovate_terms import terms_of
from neuratrade.rehearsal.tradovate_words import USD, Failed, Said, day_of, not_found, stamp, violations

MOST_SUGGESTED = 20
NONE = {
    "userProperty": "userProperties", "property": "properties", "fillPair": "fillPairs",
    "spreadDefinition": "spreadDefinitions", "orderStrategy": "orderStrategies",
    "orderStrategyLink": "orderStrategyLinks", "orderStrategyType": "orderStrategyTypes",
    "userPlugin": "userPlugins", "contractGroup": "contractGroups",
}  # fmt: skip
"""Entities the venue synchronises of which this account has none."""


class Kind(NamedTuple):
    """A kind of entity. rows: all there are. master: what they belong to. plural: in a synchronisation."""

    rows: Callable[[], list[Said]]
    master: str
    plural: str


class Account:
    """One account's answers, by endpoint."""

    def __init__(
        self,
        engine: MatchingEngine,
        book: Book,
        contracts: Contracts,
        risk: Risk,
        now_ns: Callable[[], int],
        *,
        has_active: bool = False,
    ) -> None:
        self._engine = engine
        self._book = book
        self._contracts = contracts
        self._risk = risk
        self._now_ns = now_ns
        self._opened = stamp(now_ns())
        self.has_active = has_active
        self.kinds = self._kinds()
        self.questions: dict[str, Callable[[Said], object]] = {
            "cashbalance/getcashbalancesnapshot": self._cash,
            "contract/rollcontract": self._roll,
            "contract/getproductfeeparams": self._fee_params,
            "order/dryrun": self._dry_run,
        }
        for name, kind in self.kinds.items():
            self._add(name, kind)
        self.changes: dict[str, Callable[[Said], Said]] = {
            "useraccountautoliq/create": lambda body: risk.set(body, create=True),
            "useraccountautoliq/update": lambda body: risk.set(body, create=False),
            "useraccountautoliq/updateuserautoliq": lambda body: {
                "userAccountAutoLiq": risk.set(body, create=False)
            },
        }

    def _kinds(self) -> dict[str, Kind]:
        rows = self._book.rows

        def of(name: str) -> Callable[[], list[Said]]:
            return lambda: list(rows[name].values())

        return {
            "user": Kind(self._users, "organizationId", "users"),
            "account": Kind(self._accounts, "userId", "accounts"),
            "accountRiskStatus": Kind(lambda: [self._risk.status()], "accountId", "accountRiskStatuses"),
            "marginSnapshot": Kind(lambda: [self._risk.margin_row()], "accountId", "marginSnapshots"),
            "userAccountAutoLiq": Kind(self._risk.limit_rows, "accountId", "userAccountAutoLiqs"),
            "cashBalance": Kind(of("cashBalance"), "accountId", "cashBalances"),
            "position": Kind(of("position"), "accountId", "positions"),
            "order": Kind(lambda: [o.row() for o in self._book.orders.values()], "accountId", "orders"),
            "currency": Kind(lambda: [{"id": USD, "name": "USD", "symbol": "$"}], "", "currencies"),
            "exchange": Kind(lambda: [{"id": 1, "name": "CME"}], "", "exchanges"),
            "contract": Kind(self._contracts.rows, "contractMaturityId", "contracts"),
            "contractMaturity": Kind(
                lambda: self._contracts.maturities(self._now_ns()), "productId", "contractMaturities"
            ),
            "product": Kind(self._contracts.products, "exchangeId", "products"),
            "command": Kind(of("command"), "orderId", "commands"),
            "commandReport": Kind(of("commandReport"), "commandId", "commandReports"),
            "executionReport": Kind(of("executionReport"), "commandId", "executionReports"),
            "orderVersion": Kind(of("orderVersion"), "orderId", "orderVersions"),
            "fill": Kind(of("fill"), "orderId", "fills"),
            "fillFee": Kind(of("fillFee"), "id", "fillFees"),
        }

    def snapshot(self, names: list[str]) -> Said:
        """What a synchronisation begins with. `users` and `contractGroups` are always there."""
        said: Said = {"users": [], "contractGroups": []}
        for name in names:
            kind = self.kinds.get(name)
            if kind is not None:
                said[kind.plural] = kind.rows()
            elif name in NONE:
                said[NONE[name]] = []
        return said

    def _add(self, name: str, kind: Kind) -> None:
        lower = name.lower()

        def item(asked: Said) -> object:
            number = _number(asked, "id")
            row = next((row for row in kind.rows() if row["id"] == number), None)
            if row is None:
                raise not_found(f"{name} {number}")
            return row

        def find(asked: Said) -> object:
            row = next((row for row in kind.rows() if row.get("name") == asked.get("name")), None)
            if row is None:
                raise not_found(str(asked.get("name")))
            return row

        def suggest(asked: Said) -> object:
            most = min(int(asked.get("l", MOST_SUGGESTED)), MOST_SUGGESTED)
            text = str(asked.get("t", "")).upper()
            return [row for row in kind.rows() if str(row.get("name", "")).startswith(text)][:most]

        def of_masters(asked: Said, field: str) -> object:
            numbers = _numbers(asked, field)
            return [row for row in kind.rows() if row.get(kind.master) in numbers]

        self.questions |= {
            f"{lower}/list": lambda _: kind.rows(),
            f"{lower}/item": item,
            f"{lower}/items": lambda asked: [r for r in kind.rows() if r["id"] in _numbers(asked, "ids")],
            f"{lower}/deps": lambda asked: of_masters(asked, "masterid"),
            f"{lower}/ldeps": lambda asked: of_masters(asked, "masterids"),
        }
        if name in ("account", "contract", "product", "user"):
            self.questions |= {f"{lower}/find": find, f"{lower}/suggest": suggest}

    # rows

    def _users(self) -> list[Said]:
        row = {"id": USER_ID, "name": USER, "timestamp": self._opened, "email": "nobody@localhost"}
        return [row | {"status": "Active", "professional": False}]

    def _accounts(self) -> list[Said]:
        row: Said = {
            "id": ACCOUNT_ID,
            "name": ACCOUNT,
            "userId": USER_ID,
            "accountType": "Customer",
            "clearingHouseId": 1,
            "riskCategoryId": 1,
            "autoLiqProfileId": 1,
            "marginAccountType": "Speculator",
            "legalStatus": "Individual",
            "timestamp": self._opened,
            "readonly": False,
            "restricted": False,
            "closed": False,
        }
        return [row | ({"active": True} if self.has_active else {})]

    # money

    def _cash(self, asked: Said) -> Said:
        if asked.get("accountId") != ACCOUNT_ID:
            return {"errorText": "Account not found"}
        book, margin = self._book, self._risk.margin_row()
        total = book.money.realised - book.money.fees + book.money.open_profit
        return {
            "totalCashValue": book.money.cash,
            "totalPnL": total,
            "initialMargin": margin["initialMargin"],
            "maintenanceMargin": margin["maintenanceMargin"],
            "netLiq": book.money.cash + book.money.open_profit,
            "openPnL": book.money.open_profit,
            "realizedPnL": book.money.realised,
            "weekRealizedPnL": book.money.realised_in_all,
        }

    def _fee_params(self, asked: Said) -> Said:
        wanted = asked.get("productIds")
        if not isinstance(wanted, list):
            raise violations(("required", "productIds is required"))
        rows = []
        for product in self._contracts.products():
            if product["id"] in wanted:
                contract = self._contracts.instrument_of(product["name"])
                rows.append({"productId": product["id"], "commission": contract.commission})
        return {"params": rows}

    def _roll(self, asked: Said) -> Said:
        if not isinstance(asked.get("name"), str) or not isinstance(asked.get("forward"), bool):
            raise violations(("required", "name and forward are required"))
        today = day_of(self._now_ns())
        row = self._contracts.roll(
            asked["name"], forward=asked["forward"], if_expired=bool(asked.get("ifExpired")), today=today
        )
        return {"errorText": "Contract is not found"} if row is None else {"contract": row}

    def _dry_run(self, asked: Said) -> Said:
        orders = asked.get("orders")
        if not isinstance(orders, list) or not orders or asked.get("accountId") != ACCOUNT_ID:
            raise violations(("required", "accountId and orders are required"))
        needed, fee, before = ZERO, ZERO, self._engine.margin()
        excess = self._book.money.cash + self._book.money.open_profit - before
        for body in orders:
            listed = self._contracts.listed.get(int(body.get("contractId", 0)))
            if listed is None or listed.instrument is None:
                return {"rejectReason": "InvalidContract"}
            try:
                terms = terms_of(body, listed.instrument)
                self._risk.admit(body, listed, terms)
            except Failed as failed:
                return {"rejectReason": failed.reason, "comment": str(failed)}
            quote = self._engine.quotes.get(listed.instrument.key)
            price = terms.price or terms.stop or (None if quote is None else quote.mid)
            if price is None:
                return {"rejectReason": "NoQuote"}
            sign = (Side.BUY if body["action"] == "Buy" else Side.SELL).sign
            held = self._engine.account.position(listed.instrument.key)
            opened = max(terms.quantity - max(-held * sign, ZERO), ZERO)
            needed += listed.instrument.notional(opened, price) * listed.instrument.initial_margin
            fee += listed.instrument.commission * terms.quantity
        said = {"details": self._details(before, needed, excess, fee), "fees": {"commission": fee}}
        lacks = needed + fee > excess
        return said | ({"rejectReason": "NotEnoughLiquidity", "comment": "margin"} if lacks else {})

    def _details(self, before: Decimal, needed: Decimal, excess: Decimal, fee: Decimal) -> Said:
        return {
            "beforeInitialMarginReq": before,
            "beforeInitialFullMarginReq": before,
            "beforeOpenCollateralReq": ZERO,
            "beforeNetPos": 0,
            "isExitOrder": not needed,
            "initialMarginReq": before + needed,
            "initialFullMarginReq": before + needed,
            "openCollateralReq": ZERO,
            "totalCash": self._book.money.cash,
            "futuresOpenPnL": self._book.money.open_profit,
            "optionsOpenPnL": ZERO,
            "riskCredit": ZERO,
            "netLiqValue": self._book.money.cash + self._book.money.open_profit,
            "futureCommAndFees": fee,
            "totalCashRequired": needed + fee,
            "excess": excess - needed - fee,
            "hypoLongPos": 0,
            "hypoShortPos": 0,
        }


def _number(asked: Said, name: str) -> int:
    numbers = _numbers(asked, name)
    if len(numbers) != 1:
        raise violations(("required", f"{name} is required"))
    return numbers[0]


def _numbers(asked: Said, name: str) -> list[int]:
    value = asked.get(name, [])
    parts = value if isinstance(value, list) else str(value).split(",")
    try:
        return [int(part) for part in parts if part != ""]
    except ValueError:
        raise violations(("type", f"{name} is a number")) from None
