"""A strategy that hangs or raises must not take the desk with it: it says nothing, and is off until restart.

Strategies are the one part of the step that others write, and the step runs on the desk's only loop: while
one of them loops, no stop is watched and no HALT file seen. So each call is bounded in time. One interval
timer of the process pulses once a second; a call that is still the same call at the second pulse is ended by
an exception, raised inside it. A call itself only notes that it began and ended, which costs next to nothing.

What this cannot end: code that does not come back to the interpreter (a compiled loop, a blocked C call), and
code that swallows every exception. Calls outside the main thread are not bounded in time, since signals are
not theirs.
"""

import atexit
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.model.intent import Lane
from neuratrade.core.model.market import Bar
from neuratrade.core.model.regime import Regime
from neuratrade.core.strategies.port import Proposal, Row, Strategy

PULSE_S = 1.0
PULSES = 2
FIRST_CALL_PULSES = 30
"""The first call may have to compile its kernel."""

Report = Callable[[str], None]


class StrategyHung(BaseException):
    """Raised inside a strategy that does not end. No `Exception`: a strategy may catch those."""


class Watch:
    """The timer of this process. At most one strategy is inside at a time.

    left: how many pulses the call in hand may still see; 0 while no strategy is inside.
    """

    __slots__ = ("_is_armed", "left")

    def __init__(self) -> None:
        self.left = 0
        self._is_armed = False

    def arm(self) -> None:
        """Starts to pulse, unless it does, this is not the main thread, or somebody else uses the timer."""
        ours = threading.current_thread() is threading.main_thread()
        if self._is_armed or not ours or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
            return
        self._is_armed = True
        signal.signal(signal.SIGALRM, self._pulse)
        signal.setitimer(signal.ITIMER_REAL, PULSE_S, PULSE_S)
        # A pulse that comes once Python has let its handlers go would kill the process.
        atexit.register(self.disarm)

    def disarm(self) -> None:
        """Gives the process its timer back."""
        if self._is_armed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            self._is_armed = False

    def _pulse(self, _: int, __: FrameType | None) -> None:
        if self.left > 1:
            self.left -= 1
        elif self.left:
            # It stays at 1: a call that swallows this gets the next one too.
            raise StrategyHung


WATCH = Watch()


def tell_stderr(trouble: str) -> None:
    """One line for the person who started the desk."""
    sys.stderr.write(f"neuratrade: {trouble}\n")


class GuardedStrategy:
    """A strategy whose calls end in time and never raise. Implements the `Strategy` port.

    report: told once, when the strategy is switched off.
    """

    __slots__ = (
        "_pulses",
        "_report",
        "_strategy",
        "assets",
        "indicators",
        "is_off",
        "lane",
        "name",
        "span_ns",
        "while_flat",
    )

    def __init__(self, strategy: Strategy, report: Report = tell_stderr) -> None:
        self.name: str = strategy.name
        self.lane: Lane = strategy.lane
        self.assets: tuple[str, ...] = strategy.assets
        self.span_ns: int = strategy.span_ns
        self.while_flat: bool = strategy.while_flat
        self.indicators: tuple[IndicatorSpec, ...] = strategy.indicators
        self.is_off = False
        self._strategy = strategy
        self._report = report
        self._pulses = FIRST_CALL_PULSES
        WATCH.arm()

    def entry(self, previous: Row, current: Row, close: float, asset: str) -> int:
        """The strategy's word on one bar; 0 once it is off."""
        if self.is_off:
            return 0
        try:
            try:
                WATCH.left = self._pulses
                answer = self._strategy.entry(previous, current, close, asset)
            finally:
                WATCH.left = 0
        except (Exception, StrategyHung, SystemExit) as error:  # noqa: BLE001 - the desk goes on without it
            self._switch_off(error)
            return 0
        self._pulses = PULSES
        return answer

    def plan(self, signal: int, bar: Bar, current: Row, regime: Regime) -> Proposal | None:
        """The strategy's bracket; None once it is off."""
        if self.is_off:
            return None
        try:
            try:
                WATCH.left = self._pulses
                answer = self._strategy.plan(signal, bar, current, regime)
            finally:
                WATCH.left = 0
        except (Exception, StrategyHung, SystemExit) as error:  # noqa: BLE001 - the desk goes on without it
            self._switch_off(error)
            return None
        return answer

    def _switch_off(self, error: BaseException) -> None:
        WATCH.left = 0
        self.is_off = True
        why = f"it raised {type(error).__name__}: {error}"
        if isinstance(error, StrategyHung):
            why = f"it did not end within {PULSE_S * self._pulses:g} s"
        self._report(
            f"strategy {self.name!r} is off until the desk is started again: {why}; its open positions stay "
            "guarded"
        )
