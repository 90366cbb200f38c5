"""What a search may vary: typed ranges and choices, declared by the strategy and narrowed by a person.

Every number lies on a grid of exact decimals, so that two trials are the same trial or they are not: a search
over raw floats never repeats itself and never says so. Names and bounds come from what the strategy declares
and from what a DNA file may say; a space that could propose a DNA the desk refuses to load would search in
vain.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from difflib import get_close_matches

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.risk.limits import DEFAULTS
from neuratrade.core.strategies.registry import kind_of

Value = Decimal | str
"""A number, or the name of a choice."""

LARGEST_GRID = 1_000_000
"""Steps a range may have: beyond it neighbours differ by nothing a market could show."""
_USUAL_STEPS = 200
_MOST_PLACES = 12
_PRICE_SHARE = Decimal("0.0001")
_WEEKS = Decimal(4 * 7 * 24 * 60)


class Setting(msgspec.Struct, frozen=True):
    """A setting a search may vary, and the closed range it can have at all; options instead, for a word."""

    name: str
    meaning: str
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    whole: bool = False
    options: tuple[str, ...] = ()


EXIT_SETTINGS = (
    Setting("stop_atr", "distance of the stop, ATR(14)", DEFAULTS.stop_min_atr, DEFAULTS.stop_max_atr),
    Setting("stop_pct", "distance of the stop, of the price", _PRICE_SHARE, DEFAULTS.stop_distance_fraction),
    Setting("target_atr", "distance of the nearest target, ATR(14)", Decimal("0.1"), Decimal(20)),
    Setting("target_pct", "distance of the nearest target, of the price", _PRICE_SHARE, Decimal("0.5")),
    Setting("trailing_pct", "how far the stop trails", _PRICE_SHARE, DEFAULTS.stop_distance_fraction),
    Setting("max_hold_time_minutes", "longest holding time", Decimal(1), _WEEKS, whole=True),
    Setting("entry_expiry_minutes", "how long an entry rests", Decimal(1), _WEEKS, whole=True),
    Setting("timeframe_minutes", "length of the strategy's bars", Decimal(1), Decimal(1440), whole=True),
    Setting("confidence_floor", "confidence of a signal that just passes", Decimal(0), Decimal(1)),
    Setting("confidence_cap", "confidence of the strongest signal", Decimal(0), Decimal(1)),
    Setting("order_type", "how it enters", options=tuple(EntryType)),
    Setting("lane", "whose counters it uses", options=tuple(Lane)),
)
"""What every strategy can be told beside its own parameters. Where there are several targets, they keep
their proportions."""
_EITHER = (("stop_atr", "stop_pct"), ("target_atr", "target_pct"))


def settings_of(strategy: str) -> dict[str, Setting]:
    """Everything that can vary for a strategy, by name. Raises UsageError for an unknown strategy."""
    try:
        kind = kind_of(strategy)
    except ValueError as error:
        raise UsageError(str(error)) from None
    own = [Setting(p.name, p.meaning, p.low, p.high, p.whole) for p in kind.parameters]
    return {setting.name: setting for setting in (*own, *EXIT_SETTINGS)}


class Range(msgspec.Struct, frozen=True, tag="range"):
    """A number from `low` to `high` in steps; high lies on the grid."""

    name: str
    low: Decimal
    high: Decimal
    step: Decimal

    @property
    def size(self) -> int:
        """How many values it has."""
        return int((self.high - self.low) / self.step) + 1

    def at(self, place: int) -> Decimal:
        """The value at a place of the grid, from 0."""
        return self.low + place * self.step

    def nearest(self, found: float | Decimal) -> Decimal:
        """The value of the grid nearest to a number."""
        place = ((Decimal(repr(float(found))) - self.low) / self.step).quantize(Decimal(1), ROUND_HALF_EVEN)
        return self.at(min(max(int(place), 0), self.size - 1))

    def __str__(self) -> str:
        return f"{self.name}={self.low}:{self.high}:{self.step}"


class Choice(msgspec.Struct, frozen=True, tag="choice"):
    """One of several words, or of several numbers given one by one."""

    name: str
    options: tuple[Value, ...]

    @property
    def size(self) -> int:
        """How many values it has."""
        return len(self.options)

    def at(self, place: int) -> Value:
        """The value at a place, from 0."""
        return self.options[place]

    def __str__(self) -> str:
        return f"{self.name}={'|'.join(str(option) for option in self.options)}"


Dimension = Range | Choice


class Space(msgspec.Struct, frozen=True):
    """What a search of one strategy varies; what is not named keeps its value in the DNA."""

    strategy: str
    dimensions: tuple[Dimension, ...]

    @property
    def size(self) -> int:
        """How many combinations there are, also those the strategy will refuse."""
        return math.prod(dimension.size for dimension in self.dimensions)

    def combinations(self) -> Iterator[dict[str, Value]]:
        """Every combination, the last dimension moving fastest."""
        places = (range(dimension.size) for dimension in self.dimensions)
        for chosen in itertools.product(*places):
            yield {d.name: d.at(place) for d, place in zip(self.dimensions, chosen, strict=True)}

    def holding(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """`values`, if each is one of this space. Raises UsageError naming the one that is not."""
        exact = self.on_grid(values)
        for dimension in self.dimensions:
            if exact[dimension.name] != values[dimension.name]:
                raise UsageError(f"{dimension.name} = {values[dimension.name]} is not a value of {dimension}")
        return exact

    def on_grid(self, found: Mapping[str, object]) -> dict[str, Value]:
        """Values a sampler or a file gave (floats, text), as exact values of this space.

        Raises UsageError for a name that is missing, unknown, or a value that is no option.
        """
        known = {dimension.name for dimension in self.dimensions}
        if known != set(found):
            raise UsageError(
                f"a trial of this space gives {', '.join(sorted(known))}; got {', '.join(sorted(found))}"
            )
        return {dimension.name: _exact(dimension, found[dimension.name]) for dimension in self.dimensions}


def space_of(strategy: str, given: Mapping[str, str]) -> Space:
    """The space of a strategy as a person narrows it.

    given: text by name: `20:40`, `20:40:0.5` (a step), `5|15|60` (a list), `market|limit`, or one value. A
    setting that is not named does not vary; with none named, every parameter the strategy declares varies
    over its whole range. Raises UsageError naming the setting, what is allowed, and the nearest name.
    """
    settings = settings_of(strategy)
    if not given:
        own = [parameter.name for parameter in kind_of(strategy).parameters]
        dimensions = tuple(_whole_range(settings[name]) for name in own)
        return Space(strategy, dimensions)
    for first, second in _EITHER:
        if first in given and second in given:
            raise UsageError(f"{first} and {second} say the same distance in two units; give one of them")
    return Space(strategy, tuple(_dimension(strategy, settings, name, text) for name, text in given.items()))


def parse_given(texts: list[str]) -> dict[str, str]:
    """`name=range` texts as a mapping. Raises UsageError for one without `=`, or a name given twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, sign, wanted = (part.strip() for part in text.partition("="))
        if not sign or not name or not wanted:
            raise UsageError(f"{text!r} is no setting; write name=low:high, such as rsi_period_bars=7:30")
        if name in found:
            raise UsageError(f"{name} is given twice; keep one")
        found[name] = wanted
    return found


def _dimension(strategy: str, settings: Mapping[str, Setting], name: str, text: str) -> Dimension:
    setting = settings.get(name)
    if setting is None:
        near = get_close_matches(name, settings, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(settings)}"
        raise UsageError(f"{strategy} has no setting {name!r}; {hint}")
    if setting.options:
        return _words(setting, text)
    if "|" in text:
        numbers = tuple(_number(setting, part) for part in text.split("|"))
        return Choice(name, _distinct(name, numbers))
    parts = [_number(setting, part, bound=place < 2) for place, part in enumerate(text.split(":"))]
    if len(parts) > 3:
        raise UsageError(f"{name}={text}: a range is low:high or low:high:step")
    low, high = parts[0], parts[-1] if len(parts) < 3 else parts[1]
    if low > high:
        raise UsageError(f"{name}={text}: the range ends below its start; write {name}={high}:{low}")
    if len(parts) < 3:
        return _range(setting, low, high, _usual_step(setting, low, high))
    step = parts[2]
    if step <= 0 or (setting.whole and step != step.to_integral_value()):
        kind = "a whole number of 1 or more" if setting.whole else "a number above zero"
        raise UsageError(f"{name}={text}: the step is {kind}")
    return _range(setting, low, high, step)


def _words(setting: Setting, text: str) -> Choice:
    words = tuple(part.strip() for part in text.split("|"))
    for word in words:
        if word not in setting.options:
            near = get_close_matches(word, setting.options, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(
                f"{setting.name}={text}: {word!r} is no choice; allowed is {'|'.join(setting.options)}{hint}"
            )
    return Choice(setting.name, _distinct(setting.name, words))


def _distinct(name: str, options: tuple[Value, ...]) -> tuple[Value, ...]:
    if len(set(options)) != len(options):
        raise UsageError(f"{name}: a choice is given twice; keep one")
    return options


def _number(setting: Setting, text: str, *, bound: bool = True) -> Decimal:
    """A number of a setting. bound: it must lie in the setting's range."""
    allowed = f"{'a whole number' if setting.whole else 'a number'} from {setting.low} to {setting.high}"
    try:
        number = Decimal(text.strip())
    except ArithmeticError:
        raise UsageError(
            f"{setting.name}: {text.strip()!r} is not a number; allowed is {allowed} ({setting.meaning})"
        ) from None
    inside = number.is_finite() and (not bound or setting.low <= number <= setting.high)
    if not inside or (bound and setting.whole and number != number.to_integral_value()):
        raise UsageError(f"{setting.name}: found {text.strip()}; allowed is {allowed} ({setting.meaning})")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_MOST_PLACES:
        raise UsageError(f"{setting.name}: {text.strip()} has more than {_MOST_PLACES} decimal places")
    return number


def _whole_range(setting: Setting) -> Range:
    return _range(setting, setting.low, setting.high, _usual_step(setting, setting.low, setting.high))


def _usual_step(setting: Setting, low: Decimal, high: Decimal) -> Decimal:
    """The power of ten that cuts a range into some hundreds of steps."""
    if setting.whole:
        return Decimal(1)
    if low == high:
        return _PRICE_SHARE
    return Decimal(1).scaleb(((high - low) / _USUAL_STEPS).adjusted())


def _range(setting: Setting, low: Decimal, high: Decimal, step: Decimal) -> Range:
    places = ((high - low) / step).quantize(Decimal(1), ROUND_FLOOR)
    if places >= LARGEST_GRID:
        raise UsageError(
            f"{setting.name}: {low}:{high} in steps of {step} has over {LARGEST_GRID} values; "
            "give a larger step"
        )
    return Range(setting.name, low, low + places * step, step)


def _exact(dimension: Dimension, found: object) -> Value:
    if isinstance(dimension, Range):
        if not isinstance(found, (int, float, Decimal)):
            raise UsageError(f"{dimension.name}: {found!r} is not a number")
        return dimension.nearest(found)
    for option in dimension.options:
        if option == found or str(option) == str(found):
            return option
    raise UsageError(f"{dimension.name}: {found!r} is no choice of {dimension}")
