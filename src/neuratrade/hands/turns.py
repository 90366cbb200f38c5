"""The turn that every desk takes: step the engine, make its facts safe, and only then carry out commands.

Shared by the simulated and the live desk, so that what one of them proves about a turn holds for the other.
Fail closed: while the journal cannot be written nothing opens, and what the sender stops counts as rejected
and halts the desk. What reduces goes out in both cases, or a full disk would hold a position open.
"""

from collections.abc import Callable

from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import AmendOrder, Command, SubmitOrder
from neuratrade.core.model.errors import Refused
from neuratrade.core.model.orders import OrderRole
from neuratrade.hands.recorder import Recorder
from neuratrade.hands.sender import Sender
from neuratrade.store.errors import JournalUnwritable

DESK_OPERATOR = "desk"

Watcher = Callable[[f.Fact], None]
Carry = Callable[[Command, int], None]


class Turns:
    """Takes turns with one engine. carry(command, engine time) hands one command to the venue's side.

    `carry` raises Refused for an order that the sender stops. watchers see each fact after it is safe.
    """

    def __init__(
        self,
        engine: Engine,
        recorder: Recorder,
        sender: Sender | None,
        carry: Carry,
        watchers: tuple[Watcher, ...] = (),
    ) -> None:
        self.engine = engine
        self.journal_failed = False
        self._recorder = recorder
        self._sender = sender
        self._carry = carry
        self._watchers = list(watchers)
        self._unseen: list[f.Fact] = []

    def watch(self, watcher: Watcher) -> None:
        """Shows `watcher` every fact from now on, after it is safe."""
        self._watchers.append(watcher)

    def step(self, event: e.Event) -> Step:
        """One whole turn; returns what the engine made of the event."""
        step = self.engine.step(event)
        self.carry_out(step, event.at_ns)
        return step

    def judge(self, event: e.IntentArrived) -> f.IntentJudged | None:
        """Takes an outside intent and returns the gate's verdict on it."""
        facts = self.step(event).facts
        return next((fact for fact in facts if isinstance(fact, f.IntentJudged)), None)

    def carry_out(self, step: Step, at_ns: int) -> None:
        """The second half of a turn: the facts of `step` made safe in one commit, then its commands."""
        if step.facts:
            self._recorder.record(step.facts)
            self._unseen.extend(step.facts)
            if self._sender is not None:
                for fact in step.facts:
                    self._sender.learn(fact)
        if not step.commands:
            return
        self.flush()
        for command in step.commands:
            self._dispatch(command, max(at_ns, self.engine.state.now_ns))

    def flush(self) -> None:
        """Makes every fact so far safe, or halts new exposure when that fails."""
        try:
            self._recorder.flush()
        except JournalUnwritable as error:
            self._journal_is_broken(str(error))
        else:
            self.journal_failed = False
        unseen, self._unseen = self._unseen, []
        for fact in unseen:
            for watch in self._watchers:
                watch(fact)

    def flush_if_pressing(self) -> None:
        """Makes facts safe that people should see soon."""
        if self._recorder.pressing:
            self.flush()

    def _dispatch(self, command: Command, now_ns: int) -> None:
        objection = self._objection(command)
        if objection and isinstance(command, SubmitOrder):
            coid = command.order.request.client_order_id
            self.step(f.OrderRejected(now_ns, coid, f"not sent: {objection}"))
            return
        try:
            self._carry(command, now_ns)
        except Refused as refused:
            self._stopped(command, str(refused), now_ns)

    def _objection(self, command: Command) -> str:
        """Why an entry may not leave any more, though it was planned; empty where it may."""
        if not isinstance(command, SubmitOrder) or command.order.request.role is not OrderRole.ENTRY:
            return ""
        if self.journal_failed:
            return "the journal cannot be written"
        # What comes after an entry in the same turn may have halted the desk.
        state = self.engine.state.trading_state
        return "" if state is f.TradingState.RUNNING else f"the desk is {state.value}"

    def _stopped(self, command: Command, reason: str, now_ns: int) -> None:
        """The sender let something not pass: it never left, and a desk that made it must not open more."""
        match command:
            case SubmitOrder(order=order):
                self.step(f.OrderRejected(now_ns, order.request.client_order_id, f"not sent: {reason}"))
            case AmendOrder(order=order):
                self.step(f.RequestRejected(now_ns, order.request.client_order_id, f"not sent: {reason}"))
            case _:
                raise Refused(reason)
        state = self.engine.state
        if not (state.trading_state is f.TradingState.HALTED and state.latched):
            self.step(e.Halt(state.now_ns, DESK_OPERATOR, reason))

    def _journal_is_broken(self, reason: str) -> None:
        """No new exposure while the journal cannot be written; what reduces still goes out."""
        if self.journal_failed:
            return
        self.journal_failed = True
        now_ns = self.engine.state.now_ns
        self.step(e.Halt(now_ns, DESK_OPERATOR, f"the journal cannot be written: {reason}"))
