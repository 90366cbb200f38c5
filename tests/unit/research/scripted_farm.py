"""A farm that answers from a formula instead of backtests: it speaks the port, and can be cut short."""

from collections.abc import Callable, Iterator, Sequence

from neuratrade.research.farm import Outcome, Task, Work

Formula = Callable[[Task], dict[str, float]]


def hill(task: Task) -> dict[str, float]:
    """Best at a buy level of 31, and the better the longer the period."""
    level = float(task.values["buy_level_points"])
    return figures(10.0 - abs(level - 31.0))


def figures(value: float, trades: float = 50.0, drawdown: float = 0.05) -> dict[str, float]:
    return {
        "sharpe": value,
        "total_return": value / 100,
        "sharpe_per_day": value / 20,
        "max_drawdown": drawdown,
        "trades": trades,
    }


class ScriptedFarm:
    """Answers tasks by a formula, last one first. stop_after: outcomes after which it is interrupted."""

    def __init__(self, formula: Formula = hill, stop_after: int | None = None) -> None:
        self.formula = formula
        self.stop_after = stop_after
        self.seen: list[Task] = []
        self.closed = False

    def run(self, work: Work, tasks: Sequence[Task]) -> Iterator[Outcome]:
        for task in reversed(tasks):
            if self.stop_after is not None and len(self.seen) >= self.stop_after:
                raise KeyboardInterrupt
            self.seen.append(task)
            try:
                yield Outcome(task.key, self.formula(task))
            except ArithmeticError as error:
                yield Outcome(task.key, failed=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        self.closed = True
