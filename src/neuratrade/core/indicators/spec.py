"""What to compute: the name of an indicator and its parameters, checked before anything runs.

`indicator("macd", fast=8)` fills in the defaults and refuses unknown names and values out of range, so that a
mistyped DNA file fails at start with the nearest valid name, not at the first bar. The result is hashable:
two strategies that ask for the same indicator share one.

Nothing here imports numba; commands that only read or check specs start fast.
"""

from collections.abc import Callable
from difflib import get_close_matches
from itertools import pairwise

import msgspec


class IndicatorSpec(msgspec.Struct, frozen=True):
    """An indicator with all its parameters, in the order of its definition. Make it with `indicator`."""

    name: str
    params: tuple[float, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{value:g}' for value in self.params)})"


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of an indicator: its default and the closed range it must lie in."""

    name: str
    default: float
    lowest: float
    highest: float
    whole: bool = True


class Definition(msgspec.Struct, frozen=True):
    """Everything about an indicator except its formula.

    inputs: the bar columns it reads; a bar where one of them is unusable is skipped. warm_up(*params): usable
    bars before the first one with all outputs. cells(*params): float64 cells of state.
    ascending: groups of parameters that must rise strictly, such as MACD's fast and slow.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    warm_up: Callable[..., int]
    cells: Callable[..., int]
    ascending: tuple[str, ...] = ()


def check_params(definition: Definition, params: tuple[float, ...]) -> None:
    """Raises ValueError naming the parameter and its range."""
    if len(params) != len(definition.parameters):
        names = ", ".join(parameter.name for parameter in definition.parameters) or "none"
        raise ValueError(
            f"indicator {definition.name!r} takes {len(definition.parameters)} parameters ({names}), "
            f"got {len(params)}"
        )
    for parameter, value in zip(definition.parameters, params, strict=True):
        fits = parameter.lowest <= value <= parameter.highest
        if not fits or (parameter.whole and value != int(value)):
            kind = "a whole number" if parameter.whole else "a number"
            raise ValueError(
                f"indicator {definition.name!r}: {parameter.name} = {value!r} must be {kind} "
                f"from {parameter.lowest:g} to {parameter.highest:g}"
            )
    rising = [v for p, v in zip(definition.parameters, params, strict=True) if p.name in definition.ascending]
    if any(low >= high for low, high in pairwise(rising)):
        raise ValueError(
            f"indicator {definition.name!r}: {' < '.join(definition.ascending)} must hold, "
            f"got {', '.join(f'{value:g}' for value in rising)}"
        )


def unknown_name(kind: str, name: str, valid: tuple[str, ...]) -> ValueError:
    """The error for a name that is not among `valid`, with the nearest one that is."""
    nearest = get_close_matches(name, valid, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}?" if nearest else "choose one of " + ", ".join(valid)
    return ValueError(f"unknown {kind} {name!r}; {hint}")
