"""Volume: OBV, rolling and session-anchored VWAP, volume spike.

Where no volume was traded a price average by volume does not exist: VWAP and volume spike are nan there, also
after their warm-up, and come back with the next trade.
"""

from neuratrade.core.indicators.kernel import CLOSE, HIGH, LOW, SESSION, VOLUME, Cells, kernel, step
from neuratrade.core.indicators.window import SUM_CELLS, add_exactly, push_mean, push_sum


@kernel
def typical_price(bar: Cells) -> float:
    """Mean of high, low and close."""
    return float((bar[HIGH] + bar[LOW] + bar[CLOSE]) / 3.0)


@step
def obv(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """On-balance volume, beginning with the volume of the first bar. Source: Granville 1963.

    state: bars seen, previous close, the sum and its rounding error.
    """
    if state[0] == 0.0 or bar[CLOSE] > state[1]:
        add_exactly(state, 2, bar[VOLUME])
    elif bar[CLOSE] < state[1]:
        add_exactly(state, 2, -bar[VOLUME])
    state[0] = 1.0
    state[1] = bar[CLOSE]
    out[0] = state[2]


@step
def vwap(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Typical price weighted by volume over the last `period` bars; nan when no volume was traded in them.

    state: summing windows of price times volume, and of volume.
    """
    period = int(params[0])
    paid = push_sum(state, 0, period, typical_price(bar) * bar[VOLUME])
    traded = push_sum(state, SUM_CELLS + period, period, bar[VOLUME])
    if state[0] == period and traded > 0.0:
        out[0] = paid / traded


@step
def session_vwap(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Typical price weighted by volume since the session began; nan until it has traded.

    Sessions are told apart by their number in the bar, not by a flag on their first bar: were that bar
    unusable, the flag would be lost and yesterday's average would run on. state: bars seen, session, sums of
    price times volume and of volume, each with its rounding error.
    """
    if state[0] == 0.0 or bar[SESSION] != state[1]:
        state[0] = 1.0
        state[1] = bar[SESSION]
        for cell in range(2, 6):
            state[cell] = 0.0
    add_exactly(state, 2, typical_price(bar) * bar[VOLUME])
    add_exactly(state, 4, bar[VOLUME])
    if state[4] > 0.0:
        out[0] = state[2] / state[4]


@step
def volume_spike(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Volume over the mean volume of the last `period` bars, this one included: 1 is usual, `period` the
    most.

    nan when no volume was traded in them. state: a summing window.
    """
    period = int(params[0])
    usual = push_mean(state, 0, period, bar[VOLUME])
    if state[0] == period and usual > 0.0:
        out[0] = bar[VOLUME] / usual
