"""Facts as a desk makes them, small enough to reason about: one account, one instrument."""

from decimal import Decimal
from itertools import count
from pathlib import Path

from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
from neuratrade.core.model.approval import Envelope, LayerReport, Verdict
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import Direction, OpenIntent, Stop, TakeProfit
from neuratrade.core.model.orders import Fill, Liquidity, OrderRequest, OrderRole, OrderType, Side
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer

ACCOUNT = "paper-1"
RUN = "run-1"
_numbers = count(1)
BTC = Instrument(
    asset="BTC/USDT",
    venue="paper",
    kind=InstrumentKind.SPOT,
    base="BTC",
    quote="USDT",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    min_notional=Decimal(5),
)


def run_started(
    signer: Ed25519Signer, *, run_id: str = RUN, at_ns: int = 1, fresh: bool = True
) -> f.RunStarted:
    """A paper run that publishes the signer's key."""
    return f.RunStarted(
        at_ns=at_ns,
        run_id=run_id,
        mode="paper",
        account=Account(ACCOUNT, "paper", "USDT"),
        cash=Decimal(10_000),
        source="replay",
        fresh=fresh,
        instruments=(BTC,),
        limits={},
        config={},
        key_id=signer.key_id,
        public_key=signer.public_key,
        version="0",
    )


def marked(at_ns: int, equity: str = "10000") -> f.Marked:
    """An equity mark, the smallest fact that carries a number."""
    return f.Marked(at_ns, ACCOUNT, Decimal(equity), {BTC.key: Decimal("60000.5")})


def judged(intent_id: str, *, approved: bool = True, at_ns: int = 2, quantity: str = "1") -> f.IntentJudged:
    """A decision about a long of one BTC."""
    intent = OpenIntent(
        intent_id=intent_id,
        account_id=ACCOUNT,
        operator_id="owner",
        instrument=BTC.key,
        direction=Direction.LONG,
        trigger_price=Decimal(100),
        protection=Stop(Decimal(98)),
        take_profits=(TakeProfit(Decimal(104)),),
        confidence=Decimal("0.8"),
        strategy_ref="ema_cross",
        created_ns=at_ns,
        tags={"session": "asia"},
    )
    layers = (
        LayerReport("confidence", Verdict.APPROVE, "", "0.8", ">= 0.75"),
        LayerReport("stop", Verdict.APPROVE if approved else Verdict.REFUSE, "too wide", "0.02", "<= 0.01"),
    )
    size = Decimal(quantity) if approved else Decimal(0)
    envelope = (
        Envelope("a", ACCOUNT, BTC.key, intent_id, Side.BUY, size, at_ns, at_ns + 1) if approved else None
    )
    return f.IntentJudged(at_ns, intent, approved, size, layers, f.MarketSeen(price=Decimal(100)), envelope)


def planned(
    intent_id: str, role: OrderRole = OrderRole.ENTRY, *, at_ns: int = 3, quantity: str = "1"
) -> f.OrderPlanned:
    """An order of a bracket; its client id is the bracket's and the role's."""
    side = Side.BUY if role is OrderRole.ENTRY else Side.SELL
    return f.OrderPlanned(
        at_ns,
        OrderRequest(
            client_order_id=f"{intent_id}-{role.value}",
            account_id=ACCOUNT,
            instrument=BTC.key,
            side=side,
            order_type=OrderType.MARKET,
            quantity=Decimal(quantity),
            role=role,
            bracket_id=intent_id,
        ),
    )


def filled(
    intent_id: str,
    role: OrderRole = OrderRole.ENTRY,
    *,
    quantity: str = "1",
    price: str = "100",
    at_ns: int = 4,
    trade_id: str = "",
) -> f.OrderFilled:
    """A paper execution of an order of `planned`, under a trade id of its own unless one is given."""
    side = Side.BUY if role is OrderRole.ENTRY else Side.SELL
    fill = Fill(
        trade_id=trade_id or f"t{next(_numbers)}",
        client_order_id=f"{intent_id}-{role.value}",
        account_id=ACCOUNT,
        instrument=BTC.key,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal("0.1"),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        at_ns=at_ns,
        paper_trade=True,
    )
    return f.OrderFilled(at_ns, fill)


def closed(intent_id: str, *, entered: str = "1", pnl: str = "1.8", at_ns: int = 9) -> f.BracketClosed:
    """The end of a bracket at its target."""
    return f.BracketClosed(
        at_ns=at_ns,
        bracket_id=intent_id,
        reason=f.CloseReason.TP if Decimal(entered) else f.CloseReason.NO_ENTRY,
        entered=Decimal(entered),
        entry_price=Decimal(100),
        exit_price=Decimal(102),
        fees=Decimal("0.2"),
        pnl=Decimal(pnl),
        opened_ns=4,
        unprotected_ms=0,
        account_id=ACCOUNT,
        lane="tactical",
    )


def write(journal: Journal, *facts: f.Fact, run_id: str = RUN) -> int:
    """Appends and commits; returns the last seq."""
    for fact in facts:
        journal.append(fact, run_id=run_id, account_id=ACCOUNT)
    return journal.commit()


def signed_journal(
    path: Path, rows: int, *, group: int = 10, segment_rows: int = 10, signer: Ed25519Signer | None = None
) -> Path:
    """A journal of a run that ended in order, with `rows` rows; returns its checkpoint file."""
    signer = signer or Ed25519Signer()
    with Journal.open(path, signer=signer, segment_rows=segment_rows) as journal:
        write(journal, run_started(signer))
        for start in range(2, rows + 1, group):
            write(journal, *(marked(at) for at in range(start, min(start + group, rows + 1))))
    return path.parent / "journal.checkpoints"
