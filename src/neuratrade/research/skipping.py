"""Living through recorded bars, and passing over those on which nothing can happen.

Between two bars that matter (a word of a strategy; a stop, target, trail or limit within reach; a timer; a
standing rule that equity might break; a funding time) nothing changes but marks. Of those marks the ones
that leave a trace are made: where equity was highest in an hour, at the turn of a day, and on the bar before
a strategy speaks, since the gate sizes by the last one. Everything else is the desk's own work on the bars
that are driven: decisions, orders, fills and books come out as if every bar had been.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.fold.accounts import HOURS_KEPT
from neuratrade.core.engine.quiet import EVERYWHERE, Range, is_calm, narrower
from neuratrade.core.engine.state import instrument_of_position
from neuratrade.core.indicators.kernel import kernel
from neuratrade.core.model.events import ClockTick
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.research.carry import CarryCosts
from neuratrade.research.columns import Columns, Floats, Times
from neuratrade.research.readings import ArrayReader
from neuratrade.venues.paper.exchange import PaperExchange
from neuratrade.venues.paper.waiting import margin_room, resting_ranges

Places = NDArray[np.int64]
Flags = NDArray[np.bool_]


@kernel
def _first_touch(low: Floats, high: Floats, first: int, last: int, below: float, above: float) -> int:
    """The first bar from `first` to before `last` that reaches a level; `last` where none does."""
    for place in range(first, last):
        if low[place] <= below or high[place] >= above:
            return place
    return last


@kernel
def _peaks(worth: Floats, is_hour: Flags, now: float, found: Places) -> int:
    """Places of the highest worth in each hour, latest first: those that no later one reaches.

    now: the worth that was marked last; in its hour only what is above it counts.
    """
    count, best, best_at = 0, -np.inf, -1
    for place in range(worth.shape[0] - 1, -1, -1):
        if worth[place] > best:
            best, best_at = worth[place], place
        if is_hour[place]:
            if best_at >= 0:
                found[count] = best_at
                count += 1
            best_at = -1
    if best_at >= 0 and best > now:
        found[count] = best_at
        count += 1
    return count


@dataclass(slots=True)
class Track:
    """One instrument's bars in a run.

    at: place of its bar at each instant, -1 without one. upto: place of its last bar at or before each
    instant. instant_of: for each place. shown: the last bar the engine knows the close of.
    """

    bars: Columns
    reader: ArrayReader | None
    at: Places
    upto: Places
    instant_of: Places
    shown: int = -1

    @property
    def key(self) -> str:
        """The instrument."""
        return self.bars.instrument.key


class Timeline:
    """All instants at which bars close, and the bars of each. history: bars up to `start_ns`."""

    def __init__(
        self, columns: Mapping[str, Columns], readers: Mapping[str, ArrayReader | None], end_ns: int
    ):
        ends = [bars.close_ns for bars in columns.values()]
        every = np.unique(np.concatenate(ends)) if len(ends) > 1 else ends[0]
        self.close_ns: Times = every[every <= end_ns]
        self.span_ns = next(iter(columns.values())).span_ns
        self.tracks = [_track(bars, readers[key], self.close_ns) for key, bars in columns.items()]

    def first_after(self, at_ns: int) -> int:
        """The first instant after a time."""
        return int(self.close_ns.searchsorted(at_ns, side="right"))


def _track(bars: Columns, reader: ArrayReader | None, instants: Times) -> Track:
    upto = np.searchsorted(bars.close_ns, instants, side="right") - 1
    at = np.where((upto >= 0) & (bars.close_ns[upto] == instants), upto, -1)
    instant_of = np.searchsorted(instants, bars.close_ns)
    return Track(bars, reader, at, upto, instant_of)


class Drive:
    """Drives a desk along a timeline. stepped: how many instants the engine lived through."""

    def __init__(
        self,
        desk: SimulatedDesk,
        engine: Engine,
        exchange: PaperExchange,
        timeline: Timeline,
        carry: CarryCosts,
    ) -> None:
        self.stepped = 0
        self._carry = carry
        self._desk = desk
        self._engine = engine
        self._exchange = exchange
        self._line = timeline
        self._tracks = {track.key: track for track in timeline.tracks}
        self._days = _turns(timeline.close_ns, NS_PER_DAY)
        self._hours = _turns(timeline.close_ns, NS_PER_HOUR)
        self._is_hour: Flags = np.zeros(len(timeline.close_ns), dtype=np.bool_)
        self._is_hour[self._hours] = True
        self._words = _Words(timeline)

    def live(self, instant: int) -> None:
        """Lives through one instant as the desk would."""
        for track in self._line.tracks:
            self._show(track, int(track.upto[instant - 1]) if instant else -1)
        self._carry.charge(instant)
        together = []
        for track in self._line.tracks:
            place = int(track.at[instant])
            if place < 0:
                self._show(track, int(track.upto[instant]))
                continue
            if track.reader is not None:
                track.reader.place = place
            track.shown = place
            together.append(track.bars.bar(place))
        self._desk.bars(together)
        self.stepped += 1

    def next_after(self, instant: int) -> int:
        """The next instant that has to be lived through; what lies between may be passed over."""
        last = len(self._line.close_ns) - 1
        quiet, resting = self._engine.quiet(), resting_ranges(self._exchange)
        if instant >= last or quiet is None or resting is None:
            return instant + 1
        holdings = self._holdings()
        if holdings and self._line.span_ns < NS_PER_MINUTE:
            return instant + 1
        until = [item for item in (quiet.until_ns, self._exchange.next_due_ns) if item is not None]
        found = min([last, *map(self._line.first_after, until)])
        due = self._carry.next_after(instant)
        if holdings and due is not None:
            found = min(found, due)
        found = min(found, self._words.next_after(instant, self._engine))
        moves = self._room(holdings, quiet.fall, quiet.rise)
        for key in {*quiet.ranges, *resting, *holdings}:
            track, units = self._tracks[key], holdings.get(key, 0.0)
            reach = narrower(quiet.ranges.get(key, EVERYWHERE), resting.get(key, EVERYWHERE))
            found = self._first_touch(track, instant, found, reach, units, moves)
        return max(found, instant + 1)

    def _first_touch(
        self, track: Track, instant: int, until: int, reach: Range, units: float, moves: tuple[float, float]
    ) -> int:
        below = -np.inf if reach.below is None else np.nextafter(float(reach.below), np.inf)
        above = np.inf if reach.above is None else np.nextafter(float(reach.above), -np.inf)
        first, last = int(track.upto[instant]) + 1, int(track.upto[until - 1]) + 1
        if units:
            fall, rise = moves if units > 0 else moves[::-1]
            close = float(track.bars.close[first - 1])
            below, above = max(below, close * (1.0 - fall)), min(above, close * (1.0 + rise))
        place = _first_touch(track.bars.low, track.bars.high, first, last, below, above)
        return until if place == last else int(track.instant_of[place])

    def _room(self, holdings: dict[str, float], fall: float, rise: float | None) -> tuple[float, float]:
        """How far prices may all move against and for the account, as fractions."""
        gross = 0.0
        for key, units in holdings.items():
            track = self._tracks[key]
            gross += (
                abs(units) * float(track.bars.close[track.shown]) * float(track.bars.instrument.multiplier)
            )
        if not gross:
            return np.inf, np.inf
        margin = margin_room(self._exchange)
        if margin is not None:
            fall = min(fall, margin)
        return max(fall, 0.0) / gross, np.inf if rise is None else max(rise, 0.0) / gross

    def _holdings(self) -> dict[str, float]:
        (account,) = self._engine.state.accounts.values()
        held: dict[str, float] = {}
        for key, position in account.positions.items():
            if position.quantity:
                name = instrument_of_position(key)
                held[name] = held.get(name, 0.0) + float(position.quantity)
        return held

    # what is passed over

    def pass_over(self, instant: int, following: int) -> None:
        """Makes the marks that matter between two instants that are lived through."""
        holdings = self._holdings()
        days, hours = _between(self._days, instant, following), _between(self._hours, instant, following)
        calm = is_calm(self._engine.state, self._engine.config)
        marks = set(days if calm else [*days, *hours])
        if not holdings:
            # While nothing is held and nothing is to be lifted, an hour counts where an old peak ends in it.
            if hours and self._outlives_a_peak(hours[-1]):
                marks.add(hours[-1])
        else:
            marks.update(self._extremes(holdings, instant, following))
            if self._words.speaks_at(following) or following == len(self._line.close_ns) - 1:
                marks.add(following - 1)
        for place in sorted(marks):
            self._mark(place, holdings)

    def _outlives_a_peak(self, instant: int) -> bool:
        (account,) = self._engine.state.accounts.values()
        hour = int(self._line.close_ns[instant]) // NS_PER_HOUR
        return bool(account.hour_peaks) and account.hour_peaks[0][0] < hour - HOURS_KEPT

    def _mark(self, instant: int, holdings: dict[str, float]) -> None:
        for key in holdings:
            track = self._tracks[key]
            self._show(track, int(track.upto[instant]))
        # Only the tick: what is due at this very instant comes after it, with the next bar.
        self._desk.take(ClockTick(int(self._line.close_ns[instant])))

    def _extremes(self, holdings: dict[str, float], instant: int, following: int) -> list[int]:
        """Where equity was highest in each hour, as far as no later hour reached it."""
        first = instant + 1
        if first == following:
            return []
        now, worth = 0.0, np.zeros(following - first)
        for key, units in holdings.items():
            track = self._tracks[key]
            scale = units * float(track.bars.instrument.multiplier)
            now += float(track.bars.close[track.upto[instant]]) * scale
            worth += track.bars.close[track.upto[first:following]] * scale
        found = np.empty(following - first, dtype=np.int64)
        count = _peaks(worth, self._is_hour[first:following], now, found)
        places: list[int] = (found[:count] + first).tolist()
        return places

    def _show(self, track: Track, place: int) -> None:
        """Tells engine and venue the close of a bar that was passed over."""
        if place <= track.shown or place < 0:
            return
        close = self._pass_to(track, place)
        track.shown = place
        self._engine.views[track.key].see_price(close, int(track.bars.ts[place]) + track.bars.span_ns)

    def _pass_to(self, track: Track, place: int) -> Decimal:
        close = Decimal(repr(float(track.bars.close[place])))
        self._exchange.pass_to(track.key, close)
        return close


class _Words:
    """When strategies speak, by instrument and strategy."""

    def __init__(self, timeline: Timeline) -> None:
        self._lists: list[tuple[str, str, bool, list[int]]] = []
        self._every: set[int] = set()
        for track in timeline.tracks:
            if track.reader is None:
                continue
            by_name: dict[str, list[int]] = {}
            flat: dict[str, bool] = {}
            for word in track.reader.words:
                strategy = word.user.strategy
                by_name.setdefault(strategy.name, []).append(int(track.instant_of[word.place]))
                flat[strategy.name] = strategy.while_flat
            for name, instants in by_name.items():
                self._every.update(instants)
                self._lists.append((track.key, name, flat[name], sorted(set(instants))))
        self._never = len(timeline.close_ns)

    def next_after(self, instant: int, engine: Engine) -> int:
        """The next instant at which a strategy that would be heard speaks."""
        busy = {(item.intent.instrument, item.intent.strategy_ref) for item in engine.state.brackets.values()}
        found = self._never
        for key, name, while_flat, instants in self._lists:
            if while_flat and (key, name) in busy:
                continue
            place = bisect_right(instants, instant)
            if place < len(instants):
                found = min(found, instants[place])
        return found

    def speaks_at(self, instant: int) -> bool:
        """Whether any strategy speaks then."""
        return instant in self._every


def _turns(close_ns: Times, every_ns: int) -> list[int]:
    """The first instant of each hour or day."""
    number = close_ns // every_ns
    found: list[int] = np.flatnonzero(np.diff(number, prepend=number[:1] - 1)).tolist()
    return found


def _between(turns: list[int], instant: int, following: int) -> list[int]:
    """Those strictly between two instants."""
    first = bisect_right(turns, instant)
    return turns[first : bisect_left(turns, following, first)]
