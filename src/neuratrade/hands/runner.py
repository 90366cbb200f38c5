"""The runner: one task a stream, one engine loop, and an orderly end.

It owns no decision. It brings events to the desk in the order of their lanes, gives verdicts back to the
inbox they came from once they are journaled, watches the HALT file and its own lag, and on the way out
leaves the journal complete. A stream that breaks ends the run at once with its error, since a desk that no
longer hears its HALT file or its market must not look as if it did. A verdict that cannot be handed back
is no such thing: it stands in the journal.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.core.model.market import NS_PER_SECOND, Quote, Trade
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.port import Feed
from neuratrade.hands.door import Admitted, Door
from neuratrade.hands.findings import refusal
from neuratrade.hands.halt_file import POLL_S, HaltFile, HaltSeen
from neuratrade.hands.inbound import FeedEnded, HaltChanged, Inbound, Item, StopAsked, StreamBroke
from neuratrade.hands.inbox.bus import SOURCE_PREFIX, BusReplies, IntentBus
from neuratrade.hands.inbox.control import read_request
from neuratrade.hands.inbox.delivery import Delivery
from neuratrade.hands.inbox.folder import FolderInbox
from neuratrade.hands.port import TradingDesk
from neuratrade.hands.timetable import Timetable

WATCHDOG_S = 0.25
LAG_WARNING_S = 1.0
YIELD_EVERY = 32
TROUBLES_KEPT = 50
HALT_FILE_OPERATOR = "halt-file"


@dataclass(slots=True)
class Health:
    """How the loop is doing.

    lag_s, worst_lag_s: how much later than planned the watchdog woke, seconds. late: how often that was
    worth a warning. troubles: the newest things that went wrong and did not end the run; noted: how many.
    """

    lag_s: float = 0.0
    worst_lag_s: float = 0.0
    late: int = 0
    troubles: deque[str] = field(default_factory=lambda: deque(maxlen=TROUBLES_KEPT))
    noted: int = 0

    def note(self, what: str) -> None:
        """Keeps a trouble for whoever looks."""
        self.troubles.append(what)
        self.noted += 1


@dataclass(frozen=True, slots=True)
class Inboxes:
    """Where proposals and requests come from, by the source their deliveries name. bus: None without one."""

    door: Door
    intents: FolderInbox
    control: FolderInbox
    bus: IntentBus | None = None


class Runner:
    """Runs one desk until its feed ends or somebody stops it.

    housekeeping is called between items every second or so. recall finds the first decision on an intent.
    timetable: for markets that close, and contracts that end.
    """

    def __init__(
        self,
        desk: TradingDesk,
        feed: Feed,
        inboxes: Inboxes,
        halt_file: HaltFile,
        clock: Clock,
        housekeeping: Callable[[], None],
        recall: Callable[[str], f.IntentJudged | None],
        *,
        inbound: Inbound | None = None,
        timetable: Timetable | None = None,
    ) -> None:
        self.desk = desk
        self.inbound = Inbound() if inbound is None else inbound
        self.health = Health()
        self._feed = feed
        self._inboxes = inboxes
        self._halt_file = halt_file
        self._clock = clock
        self._housekeeping = housekeeping
        self._recall = recall
        self._halted_by_file: HaltSeen | None = None
        self._bus_replies = None if inboxes.bus is None else BusReplies(inboxes.bus)
        self._market_ns = 0
        self._timetable = timetable

    @property
    def _engine_ns(self) -> int:
        """Engine time: of the newest price, since the state itself only knows when it last changed."""
        return max(self.desk.now_ns, self._market_ns)

    def ask_to_stop(self, reason: str) -> None:
        """Asks for an orderly end after the item in hand. Safe to call from a signal handler of the loop."""
        self.inbound.put_control(StopAsked(reason))

    async def run(self) -> f.RunEnded:
        """Runs to the end. Raises what broke a stream; the journal is complete in every case."""
        tasks = [asyncio.create_task(stream, name=name) for name, stream in self._streams().items()]
        for task in tasks:
            task.add_done_callback(self._stream_ended)
        try:
            return await self._serve()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.desk.flush()

    def _streams(self) -> dict[str, Coroutine[object, object, None]]:
        sleep, put = self._clock_sleep, self.inbound.put_delivery
        bus = {} if self._inboxes.bus is None else {"bus": self._read_bus(self._inboxes.bus)}
        return bus | {
            "feed": self._read_feed(),
            "intents": self._inboxes.intents.watch(put, sleep, self.health.note),
            "control": self._inboxes.control.watch(self._put_request, sleep, self.health.note),
            "halt file": self._watch_halt_file(),
            "watchdog": self._watch_lag(),
            **self.desk.streams(self.health.note),
            **({} if self._timetable is None else self._timetable.streams()),
        }

    async def _serve(self) -> f.RunEnded:
        # A HALT file that is there already counts before the first price does.
        seen = self._halt_file.look()
        if seen is not None:
            self._on_halt_file(seen)
        next_upkeep_ns = 0
        served = 0
        while True:
            item = await self.inbound.get()
            ended = self._handle(item)
            if ended is not None:
                return ended
            served += 1
            if self.desk.is_sending or served % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            now_ns = self._clock.now_ns()
            if now_ns >= next_upkeep_ns:
                next_upkeep_ns = now_ns + NS_PER_SECOND
                self._housekeeping()

    def _handle(self, item: Item) -> f.RunEnded | None:
        match item:
            case list():
                self.desk.bars(item)
                self._market_ns = item[0].close_ns
            case Quote() | Trade():
                self.desk.tick(item)
                self._market_ns = item.at_ns
            case Delivery():
                self._handle_delivery(item)
            case HaltChanged(seen=seen):
                self._on_halt_file(seen)
            case StopAsked(reason=reason):
                return self._end(reason, finished=False)
            case StreamBroke(name=name, problem=problem):
                self._end(f"the stream {name!r} broke: {problem}", finished=False)
                raise problem
            case FeedEnded(problem=problem):
                if problem is not None:
                    self._end(f"the feed broke: {problem}", finished=False)
                    raise problem
                return self._end("the market data came to its end", finished=True)
            case _:
                self.desk.take(item)
        return None

    def _end(self, reason: str, *, finished: bool) -> f.RunEnded:
        ended = f.RunEnded(self._engine_ns, self.desk.engine.state.run_id, reason, finished)
        self.desk.take(ended)
        self.desk.flush()
        return ended

    # inboxes

    def _handle_delivery(self, delivery: Delivery) -> None:
        if delivery.source == "control":
            self._handle_request(delivery)
            return
        inbox = self._replies_to(delivery)
        if delivery.faults:
            self._turn_away(inbox, self._refusal(delivery))
            return
        now_ns = self._engine_ns
        found = self._inboxes.door.admit(
            delivery.raw,
            source=delivery.source,
            name=delivery.name,
            wall_ns=self._clock.now_ns(),
            engine_ns=now_ns if self.desk.replays else None,
        )
        if not isinstance(found, Admitted):
            self._turn_away(inbox, found)
            return
        judged = self.desk.judge(e.IntentArrived(found.intent, now_ns))
        self.desk.flush()
        if judged is not None and any(
            layer.name == "duplicate" and layer.verdict.blocks for layer in judged.layers
        ):
            # A file that is delivered again after a crash gets the answer it would have got before it.
            judged = self._recall(found.intent.intent_id) or judged
        self._answer(inbox, delivery.name, _verdict(found.intent.intent_id, judged, found.notes))

    def _replies_to(self, delivery: Delivery) -> FolderInbox | BusReplies:
        if self._bus_replies is not None and delivery.source.startswith(SOURCE_PREFIX):
            return self._bus_replies
        return self._inboxes.intents

    def _handle_request(self, delivery: Delivery) -> None:
        inbox, now_ns = self._inboxes.control, self._engine_ns
        if delivery.faults:
            self._turn_away(inbox, self._refusal(delivery))
            return
        found = read_request(
            delivery.raw,
            source=delivery.source,
            name=delivery.name,
            wall_ns=self._clock.now_ns(),
            engine_ns=now_ns if self.desk.replays else None,
        )
        if isinstance(found, f.DoorRefused):
            self._turn_away(inbox, found)
            return
        try:
            self._obey(found)
        except UsageError as error:
            name, source = delivery.name, delivery.source
            self._turn_away(inbox, refusal((str(error),), source=source, name=name, at_ns=now_ns))
            return
        state = self.desk.engine.state
        done = {"state": state.trading_state.value, "reason": state.state_reason}
        self._answer(inbox, delivery.name, json.dumps(done).encode())

    def _obey(self, event: e.OperatorEvent) -> None:
        if isinstance(event, e.Resume) and self._halt_file.look() is not None:
            raise UsageError("resume: the HALT file is still there; remove it first, then resume")
        self.desk.take(event)
        self.desk.flush()
        if isinstance(event, e.Resume):
            # The same file, made again before anybody noticed that it was gone, halts again.
            self._halted_by_file = None

    def _refusal(self, delivery: Delivery) -> f.DoorRefused:
        now_ns = self._engine_ns
        return refusal(delivery.faults, source=delivery.source, name=delivery.name, at_ns=now_ns)

    def _turn_away(self, inbox: FolderInbox | BusReplies, refused: f.DoorRefused) -> None:
        self.desk.take(refused)
        self.desk.flush()
        try:
            inbox.reject(refused.name, refused.errors)
        except Retryable as error:
            self.health.note(str(error))

    def _answer(self, inbox: FolderInbox | BusReplies, name: str, verdict: bytes) -> None:
        try:
            inbox.answer(name, verdict)
        except Retryable as error:
            self.health.note(str(error))

    # streams

    async def _read_feed(self) -> None:
        problem: Exception | None = None
        try:
            async for piece in self._feed.stream(self._clock):
                await self.inbound.put_market(piece)
        except Exception as error:  # noqa: BLE001 - handed to the engine loop, which ends the run with it
            problem = error
        await self.inbound.put_market(FeedEnded(problem))

    async def _read_bus(self, bus: IntentBus) -> None:
        async for delivery in bus.subscribe():
            await self.inbound.put_delivery(delivery)

    async def _put_request(self, delivery: Delivery) -> None:
        self.inbound.put_control(delivery)

    def _stream_ended(self, task: asyncio.Task[None]) -> None:
        problem = None if task.cancelled() else task.exception()
        if problem is not None:
            self.inbound.put_control(StreamBroke(task.get_name(), problem))

    async def _watch_halt_file(self) -> None:
        """Tells of every look that differs from what the desk last acted on, not only from the last look."""
        while True:
            seen = self._halt_file.look()
            if seen != self._halted_by_file:
                self.inbound.put_control(HaltChanged(seen))
            await self._clock_sleep(POLL_S)

    def _on_halt_file(self, seen: HaltSeen | None) -> None:
        if seen == self._halted_by_file:
            return
        self._halted_by_file = seen
        if seen is not None:
            now_ns = self._engine_ns
            self.desk.take(e.Halt(now_ns, HALT_FILE_OPERATOR, seen.reason, seen.policy))
            self.desk.flush()

    async def _watch_lag(self) -> None:
        while True:
            began_ns = self._clock.now_ns()
            await self._clock.sleep(WATCHDOG_S)
            lag_s = (self._clock.now_ns() - began_ns) / NS_PER_SECOND - WATCHDOG_S
            self.health.lag_s = max(lag_s, 0.0)
            self.health.worst_lag_s = max(self.health.worst_lag_s, lag_s)
            if lag_s > LAG_WARNING_S:
                self.health.late += 1
                self.health.note(f"the loop was {lag_s:.1f} s late: something blocks it")

    async def _clock_sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


def _verdict(intent_id: str, judged: f.IntentJudged | None, notes: tuple[str, ...]) -> bytes:
    blocking: Iterable[tuple[str, str]] = [("desk", "the desk did not judge it; see `neuratrade status`")]
    if judged is not None:
        blocking = [(layer.name, layer.reason) for layer in judged.layers if layer.verdict.blocks]
    return json.dumps(
        {
            "intent_id": intent_id,
            "approved": judged is not None and judged.approved,
            "quantity": "0" if judged is None else str(judged.quantity),
            "refused_by": [{"layer": name, "reason": reason} for name, reason in blocking],
            "notes": list(notes),
        }
    ).encode()
