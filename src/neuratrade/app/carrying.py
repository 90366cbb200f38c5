"""From what was typed about holding costs to what a plan charges, and what to say where that is nothing.

`--funding` is a constant rate, a file of recorded rates, or both: instruments without a file of their own
bear the constant one. A cost that was asked for and meets no instrument is refused or said, never free in
silence.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from neuratrade.app.typed import amount, signed_amount
from neuratrade.core.model.decimals import BASIS_POINTS
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_HOUR
from neuratrade.feeds.rules import iso_of
from neuratrade.research.columns import Columns
from neuratrade.research.funding import RecordedFunding, read_funding
from neuratrade.research.plan import BacktestPlan, Carry

FUNDING_EVERY_NS = 8 * NS_PER_HOUR
_LARGEST_BPS = Decimal(10_000)
_EXAMPLES = "write basis points such as 1, a file of rates, or INSTRUMENT=FILE"


class Typed(NamedTuple):
    """What was typed of holding costs. constant: fraction of notional. files: of an asset or a key, empty for
    the one there is. borrow: fraction a year, None where nothing is lent.
    """

    constant: Decimal
    files: tuple[tuple[str, Path], ...]
    borrow: Decimal | None


def typed_carry(funding: Sequence[str], borrow_pct: str) -> Typed:
    """Reads the options `--funding` and `--borrow`. Raises UsageError."""
    constant: Decimal | None = None
    files: list[tuple[str, Path]] = []
    for text in funding:
        if _is_number(text):
            if constant is not None:
                raise UsageError(f"--funding {text}: a constant rate was given already; keep one")
            constant = signed_amount(text, "--funding (basis points)", most=_LARGEST_BPS) / BASIS_POINTS
        else:
            files.append(_named_file(text))
    borrow = None
    if borrow_pct:
        borrow = amount(borrow_pct, "--borrow (percent a year)", most=_LARGEST_BPS) / 100
    return Typed(constant or Decimal(0), tuple(files), borrow)


def _is_number(text: str) -> bool:
    try:
        Decimal(text)
    except ArithmeticError:
        return False
    return True


def _named_file(text: str) -> tuple[str, Path]:
    path = Path(text).expanduser()
    name, equals, rest = text.partition("=")
    if equals and not path.exists():
        if not name.strip():
            raise UsageError(f"--funding {text!r}: names no instrument; {_EXAMPLES}")
        path = Path(rest).expanduser()
    else:
        name = ""
    if not text.strip() or not path.exists():
        raise UsageError(f"--funding {text!r}: is neither a number nor a file that is there; {_EXAMPLES}")
    return name.strip(), path


def carry_of(typed: Typed, contracts: Sequence[Instrument]) -> Carry:
    """What a plan over these instruments charges; reads the files. Raises UsageError."""
    recorded: dict[str, RecordedFunding] = {}
    for name, path in typed.files:
        key = _perpetual(name, path, contracts).key
        if key in recorded:
            raise UsageError(
                f"--funding gives {key} two files, {recorded[key].source} and {path.name}; keep one"
            )
        recorded[key] = read_funding(path, key)
    every = tuple(recorded[key] for key in sorted(recorded))
    return Carry(typed.constant, FUNDING_EVERY_NS, typed.borrow or Decimal(0), every)


def _perpetual(name: str, path: Path, contracts: Sequence[Instrument]) -> Instrument:
    there = [item for item in contracts if not name or name in {item.key, item.asset}]
    if not there:
        raise UsageError(f"--funding {name}={path}: the data holds no {name}; it holds {_keys(contracts)}")
    perpetuals = [item for item in there if item.kind is InstrumentKind.PERPETUAL]
    if not perpetuals:
        raise UsageError(
            f"--funding {path}: only perpetuals pay funding, and none of {_keys(there)} is known as one; "
            "import the bars and correct the kind in instruments.json"
        )
    if len(perpetuals) > 1:
        raise UsageError(
            f"--funding {path}: is of one of {_keys(perpetuals)}; say which, such as "
            f"{perpetuals[0].key}={path}"
        )
    return perpetuals[0]


def run_bounds(plan: BacktestPlan, columns: Mapping[str, Columns]) -> tuple[int, int]:
    """The run of a plan as (after, until], ns UTC: from just before its first judged close to its last."""
    start_ns = -1 if plan.start_ns is None else plan.start_ns
    later = (bars.close_ns[bars.close_ns > start_ns] for bars in columns.values())
    after_ns = min((int(closes[0]) for closes in later if len(closes)), default=start_ns) - 1
    return after_ns, max(int(bars.close_ns[-1]) for bars in columns.values())


def carry_notes(plan: BacktestPlan, columns: Mapping[str, Columns], *, lends: bool) -> Iterator[str]:
    """What is charged nowhere though it was asked for. lends: `--borrow` was given.

    Raises UsageError for recorded rates none of which falls into the run.
    """
    contracts, carry = plan.instruments, plan.carry
    after_ns, until_ns = run_bounds(plan, columns)
    for item in carry.recorded:
        if not any(after_ns < at < until_ns for at in item.at_ns):
            raise UsageError(
                f"--funding {item.source}: holds no rate of {item.instrument} between "
                f"{iso_of(after_ns + 1)} and {iso_of(until_ns)}; it holds {iso_of(item.at_ns[0])} to "
                f"{iso_of(item.at_ns[-1])}"
            )
    yield from plan.carry_notes(after_ns, until_ns)
    if carry.funding_fraction and not any(item.kind is InstrumentKind.PERPETUAL for item in contracts):
        yield f"--funding charges nothing here: none of {_keys(contracts)} is known as a perpetual"
    owned = [item for item in contracts if not item.is_derivative]
    may = {name for name, asset in plan.dna.assets.items() if asset.allow_short}
    short = [item for item in owned if item.asset in may]
    if lends and not short:
        why = "is never sold short" if owned else "is sold short without borrowing"
        yield f"--borrow charges nothing here: {_keys(contracts)} {why}"
    if short and not lends:
        yield (
            f"{_keys(short)}: the simulated venue lends nothing, so that what is proposed short there is "
            "approved and never filled; --borrow lends it at a rate, --long-only leaves it out"
        )


def _keys(contracts: Sequence[Instrument]) -> str:
    return ", ".join(item.key for item in contracts)
