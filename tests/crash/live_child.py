"""A live desk in a process of its own, in real time, that dies at the step it is told to. Run by the tests.

It hears on its standard input `price P` and `open NUMBER`, and says on its standard output `ready` once the
venue's stream stands, then now and again `calm` or `busy`: whether it has anything open or in doubt.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, EntryType, Lane, OpenIntent, Stop, TakeProfit
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Quote
from neuratrade.feeds.clock import SystemClock
from neuratrade.rehearsal.company import ACCOUNT, OPERATOR, Company
from neuratrade.rehearsal.stages import STAGES
from neuratrade.venues.keys import KeyCheck
from neuratrade.venues.port import Capabilities, Cleared, StreamOpened, Venue

HISTORY_MINUTES = 60
BETWEEN_QUOTES_S = 0.1
STOP, TARGET = Decimal("0.995"), Decimal("1.003")


class Mortal:
    """A venue whose caller dies at call number `nth` of a kind: as it is made, or once it was answered."""

    def __init__(self, venue: Venue, call: str, nth: int, when: str) -> None:
        self._venue = venue
        self._call, self._left, self._when = call, nth, when

    @property
    def key_check(self) -> KeyCheck:
        return self._venue.key_check

    @property
    def capabilities(self) -> Capabilities:
        return self._venue.capabilities

    def _die(self, call: str, when: str) -> None:
        if call != self._call or when != self._when:
            return
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        self._die("submit", "unsent")
        said = await self._venue.submit(order)
        self._die("submit", "answered")
        return said

    async def cancel(self, order: CancelOrder) -> Sequence[f.VenueEvent]:
        self._die("cancel", "unsent")
        said = await self._venue.cancel(order)
        self._die("cancel", "answered")
        return said

    async def amend(self, order: Cleared, quantity: Decimal, stop_price: Decimal) -> Sequence[f.VenueEvent]:
        return await self._venue.amend(order, quantity, stop_price)

    async def look_up(self, order: LookUpOrder) -> Sequence[f.VenueEvent]:
        self._die("look_up", "unsent")
        said = await self._venue.look_up(order)
        self._die("look_up", "answered")
        return said

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        self._die("snapshot", "unsent")
        seen = await self._venue.snapshot(account_id)
        self._die("snapshot", "answered")
        return seen

    async def ping(self) -> None:
        await self._venue.ping()

    def events(self) -> AsyncIterator[f.VenueEvent | StreamOpened]:
        return self._venue.events()


def say(words: str) -> None:
    """A line that is out before anything else happens."""
    os.write(1, f"{words}\n".encode())


def history(contract: Instrument, price: Decimal, now_ns: int) -> list[Bar]:
    """Bars of a market that goes up and down a little, until now."""
    begin_ns = (now_ns // NS_PER_MINUTE - HISTORY_MINUTES) * NS_PER_MINUTE
    low, high = contract.round_price(price * Decimal("0.9995")), contract.round_price(price)
    return [
        Bar(
            contract.key,
            begin_ns + place * NS_PER_MINUTE,
            NS_PER_MINUTE,
            low if place % 2 else high,
            high,
            low,
            high if place % 2 else low,
            Decimal(100),
        )
        for place in range(HISTORY_MINUTES)
    ]


def proposal(contract: Instrument, number: int, price: Decimal, now_ns: int) -> OpenIntent:
    """Buys at market, with a stop below and one target above."""
    return OpenIntent(
        intent_id=f"kill-{number}",
        account_id=ACCOUNT,
        operator_id=OPERATOR,
        instrument=contract.key,
        direction=Direction.LONG,
        trigger_price=price,
        protection=Stop(contract.round_price(price * STOP), None),
        take_profits=(TakeProfit(contract.round_price(price * TARGET), Decimal(1)),),
        confidence=Decimal("0.9"),
        strategy_ref="kills",
        created_ns=now_ns,
        order_type=EntryType.MARKET,
        lane=Lane.TACTICAL,
        entry_expiry_ns=None,
        max_hold_ns=None,
        tags={},
    )


class Life:
    """One life of the desk."""

    def __init__(self, company: Company, contract: Instrument, price: Decimal, clock: SystemClock) -> None:
        self._company, self._contract, self._clock = company, contract, clock
        self._price = price

    async def hear(self) -> None:
        """Takes what it is told."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := (await reader.readline()).decode().split():
            word, value = line
            if word == "price":
                self._price = Decimal(value)
            else:
                now_ns = self._clock.now_ns()
                intent = proposal(self._contract, int(value), self._price, now_ns)
                judged = self._company.judge(e.IntentArrived(intent, now_ns))
                blocks = [layer for layer in judged.layers if layer.verdict.blocks] if judged else []
                say(f"judged {judged is not None and judged.approved} {blocks}")

    async def watch(self) -> None:
        """Shows the desk its market, and says how it is."""
        ready = False
        while True:
            size = Decimal(1000)
            quote = Quote(
                self._contract.key,
                self._clock.now_ns(),
                self._price,
                self._price + self._contract.tick,
                size,
                size,
            )
            await self._company.show(quote)
            await self._clock.sleep(BETWEEN_QUOTES_S)
            if self._company.desk.is_listening and not ready:
                ready = True
                say("ready")
            idle = not self._company.engine.state.brackets and self._company.desk.is_idle
            say("calm" if idle else "busy")


async def live(told: dict[str, Any]) -> None:
    """Lives until it is killed."""
    stage, clock = STAGES[told["venue"]](), SystemClock()
    place: Any = SimpleNamespace(port=told["port"], base=f"http://127.0.0.1:{told['port']}")
    price = Decimal(told["price"])
    async with stage.venue(place, ACCOUNT, [stage.contract], clock) as real:
        venue = Mortal(real, told["call"], told["nth"], told["when"])
        company = Company(stage, venue, Path(told["folder"]), clock)
        company.warm_up(history(stage.contract, price, clock.now_ns()))
        life = Life(company, stage.contract, price, clock)
        streams = company.desk.streams(lambda note: say(f"note {note}"))
        work = [company.serve(), *streams.values(), life.hear(), life.watch()]
        tasks = [asyncio.create_task(item) for item in work]
        company.begin()
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


if __name__ == "__main__":
    asyncio.run(live(json.loads(sys.argv[1])))
