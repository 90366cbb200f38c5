"""What a run shows while it runs: a live view on a terminal, plain lines anywhere else."""

import asyncio
import sys

from neuratrade.app.desk import Desk
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import OpenIntent
from neuratrade.interfaces.cli.output import money, number, print_note, when

LOOK_EVERY_S = 0.5


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
    """A line for each thing a person would want to know, as it becomes safe; troubles on stderr."""
    desk.watch(_Lines(desk))
    told = 0
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        health = desk.runner.health
        if health.noted > told:
            told = health.noted
            print_note(health.troubles[-1])


class _Lines:
    """Turns facts into lines."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._intents: dict[str, OpenIntent] = {}
        self._reader_left = False

    def __call__(self, fact: f.Fact) -> None:
        text = None if self._reader_left else self._line(fact)
        if text is None:
            return
        try:
            sys.stdout.write(f"{when(fact.at_ns)}  {text}\n")
            sys.stdout.flush()
        except OSError as error:
            # Nothing of the desk may break because nobody looks: it ends in order.
            self._reader_left = True
            self._desk.runner.ask_to_stop(f"its output cannot be written ({error.strerror})")

    def _line(self, fact: f.Fact) -> str | None:
        match fact:
            case f.IntentJudged(intent=OpenIntent() as intent, approved=True):
                self._intents[intent.intent_id] = intent
                stop = "none" if intent.stop_price is None else number(intent.stop_price)
                levels = f"at {number(intent.trigger_price)}, stop {stop}"
                return f"APPROVED  {_who(intent)} {number(fact.quantity)} {levels}  [{intent.intent_id[:8]}]"
            case f.IntentJudged(intent=OpenIntent() as intent):
                blocking = ", ".join(layer.name for layer in fact.layers if layer.verdict.blocks)
                return f"REFUSED   {_who(intent)} by {blocking}  [{intent.intent_id[:8]}]"
            case f.BracketClosed(bracket_id=bracket_id):
                opened = self._intents.pop(bracket_id, None)
                who = "" if opened is None else f"{_who(opened)} "
                return f"CLOSED    {who}by {fact.reason.value}, net {money(fact.pnl)}  [{bracket_id[:8]}]"
            case f.TradingStateMoved():
                return f"{fact.state.value:9} by {fact.governor}: {fact.reason}"
            case f.PauseProposed():
                return f"PAUSE PROPOSED by {fact.proposer}: {fact.reason}; answer by halt or resume"
            case f.DoorRefused():
                return f"TURNED AWAY  {fact.source} {fact.name}: {'; '.join(fact.errors)}"
            case f.DayRolled():
                return f"day       equity {money(fact.equity)}"
            case _:
                return None


def _who(intent: OpenIntent) -> str:
    return f"{intent.direction.value} {intent.instrument.partition('@')[0]} {intent.strategy_ref}"
