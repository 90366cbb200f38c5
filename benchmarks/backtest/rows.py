"""What the comparison comes to: a row a program, and a claim for each figure that has a target."""

import os

import msgspec

from benchmarks.backtest.contenders import Contender
from benchmarks.backtest.processes import Answer


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One program on the reference work.

    status: measured, not installed, or failed with the reason. run_s: the run alone, warm where the program
    was given warm rounds, median; low and high of these. cpu_s: processor time of it. whole_s: the process
    from start to end, imports, data and one run; cached code where it caches any. plain_s: the plain Python
    loop, measured just before; ratio: run_s to it. load: processes wanting a core when it began. rss_mb: the
    most memory, of the process that ran once.
    """

    name: str
    kind: str
    status: str
    version: str = ""
    run_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None
    cpu_s: float | None = None
    plain_s: float | None = None
    ratio: float | None = None
    whole_s: float | None = None
    rss_mb: float | None = None
    trades: int | None = None
    final_equity: float | None = None
    stepped: int | None = None
    load: float | None = None
    note: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of ours. target: None where there is none. better: lower or higher. note: how it came."""

    name: str
    value: float | None
    unit: str
    target: float | None = None
    better: str = "lower"
    load: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is kept; None where there is none. What could not be measured is not met."""
        if self.target is None:
            return None
        if self.value is None:
            return False
        return self.value >= self.target if self.better == "higher" else self.value <= self.target


def missing(contender: Contender, problem: str) -> Row:
    """The row of a program that gave no figures."""
    return Row(
        name=contender.name,
        kind=contender.kind,
        status=problem,
        version=contender.version,
        note=contender.note,
    )


def row_of(contender: Contender, warm: Answer, once: Answer, plain_s: float | None, load: float) -> Row:
    """The row of a program that ran. warm: of its warm rounds; once: of the process that ran once."""
    found = warm.found
    runs = found.get("runs_s") or [found["run_s"]]
    return Row(
        name=contender.name,
        kind=contender.kind,
        status="measured",
        version=found["version"],
        run_s=found["run_s"],
        low_s=min(runs),
        high_s=max(runs),
        cpu_s=found.get("cpu_s"),
        plain_s=plain_s,
        ratio=found["run_s"] / plain_s if plain_s else None,
        whole_s=once.whole_s,
        rss_mb=once.found["rss_mb"],
        trades=found["trades"],
        final_equity=found["final_equity"],
        stepped=found.get("stepped"),
        load=load,
        note=contender.note,
    )


def load_now() -> float:
    """Processes that want a core, averaged over a minute."""
    return round(os.getloadavg()[0], 2)
