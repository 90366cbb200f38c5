"""What a run shows while it runs: a live view on a terminal, plain lines anywhere else."""

import asyncio
import sys
from collections.abc import Callable

from neuratrade.app.desk import Desk
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import OpenIntent
from neuratrade.interfaces.cli.output import money, number, when

REFRESH_S = 0.25


async def follow(desk: Desk, *, quiet: bool) -> None:
    """Shows the desk until it is cancelled."""
    if quiet:
        return
    if sys.stdout.isatty():
        from neuratrade.interfaces.cli.screen import show_screen

        await show_screen(desk)
    else:
        await _print_lines(desk)


async def _print_lines(desk: Desk) -> None:
    """A line for each thing a person would want to know, as it becomes safe."""
    desk.watch(_Lines(sys.stdout.write))
    await asyncio.Event().wait()


class _Lines:
    """Turns facts into lines."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._intents: dict[str, OpenIntent] = {}

    def __call__(self, fact: f.Fact) -> None:
        text = self._line(fact)
        if text is not None:
            self._write(f"{when(fact.at_ns)}  {text}\n")

    def _line(self, fact: f.Fact) -> str | None:
        match fact:
            case f.IntentJudged(intent=OpenIntent() as intent, approved=True):
                self._intents[intent.intent_id] = intent
                stop = "none" if intent.stop_price is None else number(intent.stop_price)
                levels = f"at {number(intent.trigger_price)}, stop {stop}"
                return f"APPROVED  {_who(intent)} {number(fact.quantity)} {levels}  [{intent.intent_id[:8]}]"
            case f.BracketClosed(bracket_id=bracket_id):
                opened = self._intents.pop(bracket_id, None)
                who = "" if opened is None else _who(opened)
                return f"CLOSED    {who} by {fact.reason.value}, net {money(fact.pnl)}  [{bracket_id[:8]}]"
            case f.TradingStateMoved():
                return f"{fact.state.value}  by {fact.governor}: {fact.reason}"
            case f.DoorRefused():
                return f"TURNED AWAY  {fact.source} {fact.name}: {'; '.join(fact.errors)}"
            case f.DayRolled():
                return f"day       equity {money(fact.equity)}"
            case _:
                return None


def _who(intent: OpenIntent) -> str:
    return f"{intent.direction.value} {intent.instrument.partition('@')[0]} {intent.strategy_ref}"
