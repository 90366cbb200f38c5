"""Which fault met which state of a bracket, how often; an empty cell is something nobody has tried."""

from collections.abc import Mapping

from tests.simulation.faults.kinds import IMPOSSIBLE, Fault, Moment

Cells = Mapping[tuple[str, str], int]


def empty_cells(faults: Cells) -> list[tuple[str, str]]:
    """Cells that no world reached, without those that none can."""
    return [
        (fault.value, moment.value)
        for fault in Fault
        for moment in Moment
        if not faults.get((fault.value, moment.value)) and (fault, moment) not in IMPOSSIBLE
    ]


def table(faults: Cells) -> str:
    """The matrix as text; `-` marks what cannot happen, 0 what did not."""
    width = max(len(fault.value) for fault in Fault)
    lines = [" " * width + "".join(f"{moment.value:>13}" for moment in Moment)]
    for fault in Fault:
        cells = []
        for moment in Moment:
            count = faults.get((fault.value, moment.value), 0)
            impossible = (fault, moment) in IMPOSSIBLE and not count
            cells.append(f"{'-' if impossible else count:>13}")
        lines.append(f"{fault.value:<{width}}" + "".join(cells))
    lines.extend(f"- {fault.value} / {moment.value}: {why}" for (fault, moment), why in IMPOSSIBLE.items())
    return "\n".join(lines)
