"""Measures the programs one after the other, and the claims that only ours makes."""

from pathlib import Path
from statistics import median

from benchmarks.backtest.contenders import Contender, floors
from benchmarks.backtest.processes import Answer, peer_environment, run
from benchmarks.backtest.rows import Claim, Row, load_now, missing, row_of

WHOLE_ROUNDS, ENOUGH_S = 3, 10.0
"""A whole process is measured so often, but not again once that took so long."""
NEEDED = {"version", "run_s", "trades", "final_equity", "rss_mb"}
YEAR_BARS, YEAR_TRADES = 525_600, 4_420
LINEAR = 11.0
"""Ten times the data may take so many times as long: linear, and a tenth for a machine that is not quiet."""


def measure(contender: Contender, data: Path, patience_s: float) -> Row:
    """One program: a run that is not counted (it fills caches), whole processes, and warm rounds."""
    if not contender.python.exists():
        return missing(contender, "not installed")
    if contender.rounds:
        first = _run(contender, data, 0, patience_s)
        if first.problem:
            return missing(contender, first.problem)
    load, plain_s = load_now(), _plain(data)
    wholes: list[Answer] = []
    while len(wholes) < (WHOLE_ROUNDS if contender.rounds else 1):
        wholes.append(_run(contender, data, 0, patience_s))
        if wholes[-1].problem:
            return missing(contender, wholes[-1].problem)
        if sum(answer.whole_s for answer in wholes) > ENOUGH_S:
            break
    typical = sorted(wholes, key=lambda answer: answer.whole_s)[len(wholes) // 2]
    warm = _run(contender, data, contender.rounds, patience_s) if contender.rounds else typical
    if warm.problem:
        return missing(contender, warm.problem)
    return row_of(contender, warm, typical, plain_s, load)


def _run(contender: Contender, data: Path, rounds: int, patience_s: float) -> Answer:
    environment = peer_environment() if contender.kind == "peer" else None
    arguments = [str(data), str(rounds)]
    answer = run(
        contender.python, contender.module, arguments, environment=environment, patience_s=patience_s
    )
    lacking = sorted(NEEDED - set(answer.found))
    if not answer.problem and lacking:
        return answer._replace(problem=f"failed: said nothing of {', '.join(lacking)}")
    return answer


def _plain(data: Path) -> float | None:
    """The plain loop now: what the machine is worth at this moment."""
    found = _run(floors()[0], data, 2, 60.0).found
    return float(found["run_s"]) if found else None


def claims_of(ours: Row) -> list[Claim]:
    """What is claimed of the measured row itself."""
    said = "" if ours.status == "measured" else ours.status
    passed = "" if ours.stepped is None else f"{ours.stepped:,} of {YEAR_BARS:,} bars lived through"
    return [
        Claim(
            name="a year, warm", value=ours.run_s, unit="s", target=0.8, load=ours.load, note=said or passed
        ),
        Claim(name="a year, whole process", value=ours.whole_s, unit="s", target=3.0, load=ours.load),
        Claim(name="a year, peak memory", value=ours.rss_mb, unit="MB", target=350.0),
    ]


def same(python: Path, data: Path) -> list[Claim]:
    """All trades beside both loops."""
    answer = _claim(python, "same", [str(data)])
    if answer.problem:
        return _failed("trades equal to both loops", "trades", YEAR_TRADES, answer)
    claims = []
    for name, found in answer.found["found"].items():
        note = found["first"] or f"entry, exit, prices and reason; {answer.found['halted']}".rstrip("; ")
        claims += [
            Claim(
                name=f"trades equal to the {name} loop, of {found['trades']:,}",
                value=found["same"],
                unit="trades",
                target=max(YEAR_TRADES, found["trades"]),
                better="higher",
                note=note,
            ),
            Claim(
                name=f"equity apart from the {name} loop",
                value=found["equity_apart"],
                unit="USDT",
                target=0.01,
            ),
        ]
    return claims


def bar_by_bar(python: Path, data: Path, bars: int, rounds: int) -> list[Claim]:
    """Bars a second with every bar lived through."""
    load = load_now()
    answer = _claim(python, "bars", [str(data), str(bars), str(rounds)])
    name = f"bar by bar, {bars:,} bars"
    if answer.problem:
        return _failed(name, "bars/s", 40_000, answer)
    value = answer.found["bars_per_s"]
    note = "same trades and equity as with bars passed over"
    return [
        Claim(name=name, value=value, unit="bars/s", target=40_000, better="higher", load=load, note=note)
    ]


def sweep(python: Path, data: Path, variants: int, processes: int) -> list[Claim]:
    """Variants with the exact engine for all, through the same search as `optimize`."""
    load = load_now()
    answer = _claim(python, "sweep", [str(data), str(processes), str(variants)], weigh=True)
    name = f"{variants} variants on {processes} processes"
    # The targets are for all of them on two cores.
    seconds, megabytes = (45.0, 700.0) if (variants, processes) == (100, 2) else (None, None)
    if answer.problem:
        return _failed(name, "s", seconds, answer)
    found = answer.found
    idle = 1.0 - found["in_engine_s"] / (processes * found["run_s"])
    note = (
        f"exact engine for all; {found['equal']} of {found['variants']} as in the numba loop, "
        f"{found['trades']:,} trades; {idle:.0%} of the processes' time outside the engine"
    )
    return [
        Claim(name=name, value=found["run_s"], unit="s", target=seconds, load=load, note=note),
        Claim(
            name=f"{name}, memory of all",
            value=answer.pss_mb,
            unit="MB",
            target=megabytes,
            note="PSS; pages shared by processes count once",
        ),
    ]


def ten_years(python: Path, data: Path) -> list[Claim]:
    """Ten times the data."""
    load = load_now()
    answer = _claim(python, "long", [str(data)])
    name = "ten years, times one year"
    if answer.problem:
        return _failed(name, "x", LINEAR, answer)
    found = answer.found
    agreed = f"{found['same']:,} of {found['trades']:,} trades as in the plain loop"
    took = f"{found['ten_s']:.1f} s of processor to {found['one_s']:.1f} s"
    note = f"{took}; {found['first'] or agreed} {found['halted']}".strip()
    return [
        Claim(name=name, value=found["times"], unit="x", target=LINEAR, load=load, note=note),
        Claim(name="ten years, peak memory", value=found["peak_mb"], unit="MB"),
    ]


def _claim(python: Path, part: str, arguments: list[str], *, weigh: bool = False) -> Answer:
    return run(python, "benchmarks.backtest.claims", [part, *arguments], weigh=weigh)


def _failed(name: str, unit: str, target: float | None, answer: Answer) -> list[Claim]:
    return [Claim(name=name, value=None, unit=unit, target=target, note=answer.problem)]


def spread(rows: list[Row]) -> str:
    """What the machine did meanwhile, in words: the plain loop from its fastest to its slowest."""
    plain = [row.plain_s for row in rows if row.plain_s]
    if not plain:
        return ""
    return (
        f"the plain loop took {min(plain):.2f} to {max(plain):.2f} s (median {median(plain):.2f}) in this run"
    )
