"""Barchart's DDF from bytes to ticks, in messages a second; the floor is a bare pass over the same bytes.

The bare pass cuts the bytes at ETX and newline and throws the parts away: wrong where a time holds one of
them, and what no reader can be faster than. Tops, trades and beats of the clock in the wire form of the
simulated server, as frames of one message and of many; and the recorded log over and over.
"""

import random
import re
from collections.abc import Callable
from decimal import Decimal

from benchmarks.book_mirror import DATA, by_turns
from benchmarks.parts import Row
from neuratrade.feeds.barchart.ddf import parse
from neuratrade.feeds.barchart.ddf_split import Splitter
from neuratrade.feeds.barchart.jerq_reader import JerqReader
from neuratrade.feeds.barchart.transport import Tally
from neuratrade.rehearsal import jerq_words as words

LOG = DATA.parents[1] / "fixtures/barchart/ddf/1624900329804.ddf"
LOG_BEGUN_NS = 1_624_900_329_804 * 10**6
TARGET = 40_000
MESSAGES = 20_000
IN_A_FRAME = 20
BEGIN_NS = 1_795_190_400 * 10**9
TICK = Decimal("0.25")


def generated() -> list[bytes]:
    """A busy hour of the S&P 500 future: a random walk of quotes with trades between them."""
    dice, listing = random.Random(1), words.es()
    made: list[bytes] = []
    bid, at_ns = Decimal(6900), BEGIN_NS
    while len(made) < MESSAGES:
        at_ns += dice.randrange(1, 300) * 10**6
        bid += dice.choice((-1, 0, 0, 0, 1)) * TICK
        kind = dice.random()
        if kind < 0.05:
            made.append(words.clock(at_ns))
        elif kind < 0.3:
            made.append(words.trade(listing, bid + dice.randrange(2) * TICK, dice.randint(1, 40), at_ns))
        else:
            sizes = dice.randint(1, 90), dice.randint(1, 90)
            made.append(words.top(listing, bid, sizes[0], bid + TICK, sizes[1], at_ns))
    return made


def _reading(frames: list[bytes], name: str, now_ns: int, least: int) -> Callable[[], None]:
    def work() -> None:
        tally = Tally()
        reader = JerqReader({name: name}, tally, lambda: now_ns)
        for frame in frames:
            reader.ticks(frame)
        if tally.messages < least or tally.unreadable:
            raise RuntimeError(f"{tally.messages} of {least} messages, {tally.unreadable}")

    return work


def _parsing(frames: list[bytes]) -> Callable[[], None]:
    def work() -> None:
        splitter = Splitter()
        for frame in frames:
            for text in splitter.feed(frame.decode("latin-1")):
                parse(text)

    return work


def _passing(frames: list[bytes]) -> Callable[[], None]:
    cut = re.compile(rb"[\x03\n]").split

    def work() -> None:
        for frame in frames:
            cut(frame)

    return work


def run() -> dict[str, list[Row]]:
    """Messages a second by what they come in."""
    made = generated()
    log = LOG.read_bytes()
    in_log = len(Splitter().feed(log.decode("latin-1")))
    turns = MESSAGES // in_log
    end_ns = BEGIN_NS + 10**9 * MESSAGES
    together = [b"".join(made[at : at + IN_A_FRAME]) for at in range(0, MESSAGES, IN_A_FRAME)]
    sources: dict[str, tuple[list[bytes], str, int, int]] = {
        "one message a frame": (made, "ESZ6", end_ns, MESSAGES),
        f"{IN_A_FRAME} messages a frame": (together, "ESZ6", end_ns, MESSAGES),
        "the recorded log": ([log] * turns, "TSLA", LOG_BEGUN_NS, in_log * turns),
    }
    rows: list[Row] = []
    for name, (frames, symbol, now_ns, count) in sources.items():
        works = [_reading(frames, symbol, now_ns, count), _parsing(frames), _passing(frames)]
        ticks, parsed, floor = by_turns(works)
        for what, seconds in (("ticks", ticks), ("messages", parsed)):
            rows.append(
                {
                    "name": f"DDF, {name}: bytes to {what}, floor is a bare pass over the bytes",
                    "value": round(count / seconds),
                    "unit": "messages/s",
                    "floor": round(count / floor),
                    "target": TARGET,
                    "better": "higher",
                }
            )
    return {"rows": rows}
