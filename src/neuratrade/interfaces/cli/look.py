"""status, positions, orders: what the journal says now."""

from decimal import Decimal

from neuratrade.app.looking import home_in_use, look_at
from neuratrade.core.engine.state import BracketState, DeskState
from neuratrade.core.model.intent import Lane
from neuratrade.core.risk.view import drawdown
from neuratrade.interfaces.cli.look_feed import feed_document, print_feed, read_feed
from neuratrade.interfaces.cli.output import console, money, number, percent, print_json, table, when


def show_status(*, as_json: bool) -> None:
    """Prints how the desk stands."""
    look = look_at(home_in_use())
    state = look.state
    used = limits_used(state)
    feed = read_feed(look)
    if as_json:
        document = _status_document(state, look.seq, running=look.running, used=used)
        print_json({**document, "feed": feed_document(feed)})
        return
    out = console()
    account = next(iter(state.accounts.values()), None)
    head = table("desk", "what", "value")
    head.add_row("running", "yes" if look.running else "no")
    head.add_row("run", f"{state.run_id} ({state.mode}{', finished' if state.finished else ''})")
    head.add_row("engine time", when(state.now_ns))
    head.add_row("trading", f"{state.trading_state.value} {state.state_reason}".strip())
    if state.pause_proposed is not None:
        asked = f"by {state.pause_proposed.proposer}: {state.pause_proposed.reason}"
        head.add_row("pause proposed", f"{asked} (answer: neuratrade halt, or resume)")
    if account is not None:
        head.add_row("equity", f"{money(account.equity)} {account.account.currency}")
        head.add_row("max drawdown", percent(account.max_drawdown))
        head.add_row("posture", account.posture)
        head.add_row("differs from the venue", "; ".join(account.differences) or "nothing")
    head.add_row("in quarantine", ", ".join(sorted(state.quarantine)) or "nothing")
    counts = state.counts
    head.add_row("intents", f"{counts.intents} ({counts.approved} approved, {counts.refused} refused)")
    head.add_row("trades", f"{counts.trades} ({counts.wins} won), net {money(counts.pnl)}")
    head.add_row("open brackets", str(len(state.brackets)))
    head.add_row("journal rows", str(look.seq))
    out.print(head)
    bars = table("limits used", "limit", "used", "of", right=("used", "of"))
    for name, seen, limit in used:
        bars.add_row(name, number(seen), number(limit))
    out.print(bars)
    print_feed(feed)


def limits_used(state: DeskState) -> list[tuple[str, Decimal, Decimal]]:
    """(limit, used, of) for the limits a person watches; fractions or counts."""
    account = next(iter(state.accounts.values()), None)
    if account is None:
        return []
    limits = state.limits
    digits = Decimal("0.00001")
    return [
        ("trades_per_day", Decimal(account.counted_today(Lane.TACTICAL)), Decimal(limits.trades_per_day)),
        ("concurrent", Decimal(len(state.brackets)), Decimal(limits.concurrent)),
        (
            "daily_loss",
            drawdown(account.day_start_equity, account.equity).quantize(digits),
            limits.daily_loss_fraction,
        ),
        (
            "session_drawdown",
            drawdown(account.session_peak, account.equity).quantize(digits),
            limits.session_drawdown_fraction,
        ),
        (
            "drawdown_24h",
            drawdown(account.peak_24h, account.equity).quantize(digits),
            limits.drawdown_24h_fraction,
        ),
        (
            "loss_streak",
            Decimal(account.losses),
            Decimal(limits.kill_losses),
        ),
    ]


def _status_document(
    state: DeskState, seq: int, *, running: bool, used: list[tuple[str, Decimal, Decimal]]
) -> dict[str, object]:
    account = next(iter(state.accounts.values()), None)
    return {
        "running": running,
        "run_id": state.run_id,
        "mode": state.mode,
        "finished": state.finished,
        "now_ns": state.now_ns,
        "state": state.trading_state.value,
        "state_reason": state.state_reason,
        "pause_proposed": state.pause_proposed,
        "equity": None if account is None else account.equity,
        "max_drawdown": None if account is None else account.max_drawdown,
        "posture": None if account is None else account.posture,
        "counts": state.counts,
        "open_brackets": len(state.brackets),
        "rows": seq,
        "differences": {key: item.differences for key, item in state.accounts.items()},
        "quarantine": quarantine_documents(state),
        "foreign": {key: item.foreign for key, item in state.accounts.items()},
        "limits": state.limits,
        "limits_used": [{"limit": name, "used": seen, "of": limit} for name, seen, limit in used],
    }


def show_positions(*, as_json: bool) -> None:
    """Prints open brackets."""
    state = look_at(home_in_use()).state
    held = [item for item in state.brackets.values() if item.entered > 0]
    if as_json:
        print_json([*(position_document(item, state) for item in held), *foreign_documents(state)])
        return
    strangers = foreign_documents(state)
    if not held and not strangers:
        console().print("nothing is held")
        return
    if held:
        _print_held(held, state)
    if strangers:
        columns = ("account", "instrument", "held")
        listed = table("foreign: not the desk's, not guarded, not sold", *columns, right=("held",))
        for item in strangers:
            listed.add_row(
                str(item["account_id"]), str(item["instrument"]), number(Decimal(str(item["held"])))
            )
        console().print(listed)


def _print_held(held: list[BracketState], state: DeskState) -> None:
    columns = ("id", "instrument", "side", "held", "entry", "stop", "targets", "since", "protected")
    listed = table("positions", *columns, right=("held", "entry", "stop", "targets"))
    for item in held:
        listed.add_row(
            item.bracket_id[:8],
            item.intent.instrument,
            item.intent.direction.value,
            number(item.held),
            f"{item.entry_price:.8g}",
            number(item.stop_price),
            ", ".join(number(rung.price) for rung in item.intent.take_profits),
            when(item.opened_ns),
            "yes" if item.protected else "GAP RISK: market closed" if has_gap_risk(item, state) else "NO",
        )
    console().print(listed)


def has_gap_risk(item: BracketState, state: DeskState) -> bool:
    """Whether a bracket is bare because its market is closed: no stop can be placed before it opens."""
    return not item.protected and item.intent.instrument in state.shut


def foreign_documents(state: DeskState) -> list[dict[str, object]]:
    """Holdings the desk did not open, for programs: beside brackets, told apart by `phase`."""
    return [
        {
            "phase": "foreign",
            "account_id": account_id,
            "instrument": key,
            "held": quantity,
            "protected": False,
        }
        for account_id, account in state.accounts.items()
        for key, quantity in sorted(account.foreign.items())
    ]


def quarantine_documents(state: DeskState) -> list[dict[str, object]]:
    """What is in quarantine, for programs, oldest first."""
    return [
        {
            "reference": item.reference,
            "kind": item.kind.value,
            "account_id": item.account_id,
            "instrument": item.instrument,
            "detail": item.detail,
            "since_ns": item.at_ns,
        }
        for item in sorted(state.quarantine.values(), key=lambda item: (item.at_ns, item.reference))
    ]


def position_document(item: BracketState, state: DeskState) -> dict[str, object]:
    """One bracket for programs."""
    return {
        "bracket_id": item.bracket_id,
        "account_id": item.intent.account_id,
        "instrument": item.intent.instrument,
        "direction": item.intent.direction.value,
        "strategy_ref": item.intent.strategy_ref,
        "phase": item.phase.value,
        "held": item.held,
        "entry_price": item.entry_price,
        "stop_price": item.stop_price,
        "take_profits": item.intent.take_profits,
        "protected": item.protected,
        "gap_risk": has_gap_risk(item, state),
        "opened_ns": item.opened_ns,
    }


def show_orders(*, as_json: bool) -> None:
    """Prints orders that may still fill."""
    state = look_at(home_in_use()).state
    live = [item for item in state.orders.values() if item.is_live]
    if as_json:
        documents = [
            {
                "client_order_id": item.request.client_order_id,
                "bracket_id": item.request.bracket_id,
                "instrument": item.request.instrument,
                "role": item.request.role.value,
                "side": item.request.side.value,
                "type": item.request.order_type.value,
                "quantity": item.quantity,
                "filled": item.filled,
                "limit_price": item.request.limit_price,
                "stop_price": item.stop_price,
                "status": item.status.value,
            }
            for item in live
        ]
        print_json(documents)
        return
    if not live:
        console().print("no order is working")
        return
    columns = (
        "order",
        "bracket",
        "instrument",
        "role",
        "side",
        "type",
        "quantity",
        "filled",
        "price",
        "status",
    )
    listed = table("orders", *columns, right=("quantity", "filled", "price"))
    for item in live:
        price = item.request.limit_price or item.stop_price
        listed.add_row(
            item.request.client_order_id[:8],
            item.request.bracket_id[:8],
            item.request.instrument,
            item.request.role.value,
            item.request.side.value,
            item.request.order_type.value,
            number(item.quantity),
            number(item.filled),
            "market" if price is None else number(price),
            item.status.value,
        )
    console().print(listed)
