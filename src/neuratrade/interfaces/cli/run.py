"""run: opens the desk, shows what it does, ends with a summary."""

import asyncio
import signal
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.interfaces.cli.output import print_json

if TYPE_CHECKING:
    from neuratrade.app.desk import Desk
    from neuratrade.feeds.replay import ReplayFeed

AUTO = -1.0
AUTO_SECONDS = 90.0


def run_desk(speed: str, data: str, dna: str, *, fresh: bool, as_json: bool) -> None:
    """Runs a desk to its end. Raises UsageError for options or files that cannot be used."""
    pace = _parse_speed(speed)
    # Something is on the screen before the heavy half is imported.
    say = _Progress(quiet=as_json)
    say.line("NeuraTrade: opening the desk (paper, recorded market, no key, no network)")
    from neuratrade.app.desk import Options, open_desk
    from neuratrade.app.kernels import prepare_kernels
    from neuratrade.app.summary import summarise
    from neuratrade.store.home import Home

    began = time.monotonic()
    prepare_kernels(say.step)
    options = Options(None, data or None, dna or None, fresh)
    home = Home.resolve()
    desk = open_desk(home, options, say.step)
    say.done()
    with desk:
        desk.feed.speed = pace if pace is not AUTO else _auto_speed(desk.feed)
        if desk.resumed:
            held = len(desk.state.brackets)
            say.line(f"going on with run {desk.run_id}: {held} open bracket(s), protection checked")
        asyncio.run(_run(desk, as_json=as_json))
        bars, lag_s = desk.simulated.bars_seen, desk.runner.health.worst_lag_s
    rows, _ = desk.last_head
    summary = summarise(desk.state, bars)
    if as_json:
        seconds = round(time.monotonic() - began, 2)
        lag_s = round(lag_s, 3)
        print_json(msgspec.structs.replace(summary, rows=rows, seconds=seconds, worst_lag_s=lag_s))
    else:
        from neuratrade.interfaces.cli.summary import print_summary

        print_summary(summary, home.root)


def _parse_speed(text: str) -> float | None:
    """Engine seconds a second; None for max; AUTO. Raises UsageError."""
    if text in ("max", "auto"):
        return None if text == "max" else AUTO
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1e9:
        raise UsageError(f"--speed {text!r}: give a number above zero (60 = a minute a second) or max")
    return value


def _auto_speed(feed: "ReplayFeed") -> float:
    minutes = feed.total_bars / max(len(feed.instruments), 1)
    return max(minutes * 60 / AUTO_SECONDS, 1.0)


async def _run(desk: "Desk", *, as_json: bool) -> None:
    from neuratrade.interfaces.cli.live import follow

    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM"):
        loop.add_signal_handler(getattr(signal, name), desk.runner.ask_to_stop, f"{name} received")
    screen = asyncio.create_task(follow(desk, quiet=as_json))
    try:
        await desk.run()
    finally:
        screen.cancel()
        await asyncio.gather(screen, return_exceptions=True)


class _Progress:
    """One line on stderr that says what the wait is for."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._tty = sys.stderr.isatty()
        self._shown = ""
        self._began = time.monotonic()

    def line(self, text: str) -> None:
        """A line of its own."""
        if not self._quiet:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def step(self, what: str, done: int, total: int) -> None:
        """Progress; only shown once the wait has been noticed."""
        if self._quiet or time.monotonic() - self._began < 1.0:
            return
        share = f"{done / total:4.0%}" if total else ""
        if self._tty:
            sys.stderr.write(f"\r\x1b[Kpreparing {what} {share}")
            self._shown = what
        elif not self._shown:
            sys.stderr.write("compiling kernels for this machine (first start only)\n")
            self._shown = what
        sys.stderr.flush()

    def done(self) -> None:
        """Clears the line."""
        if self._shown and self._tty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
