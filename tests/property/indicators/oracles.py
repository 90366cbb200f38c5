"""Every indicator written a second time, in 100 digits and without any incremental trick.

Slow and plain on purpose: windows are sliced, averages summed anew at each bar. `None` stands for not yet
known or not defined. Inputs are the floats the kernels see, taken exactly.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import NamedTuple

Series = Sequence[float]
Values = list[Decimal | None]
HUNDRED = Decimal(100)


class Bars(NamedTuple):
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]
    session: list[float]


def total(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0))


def exact(values: Series) -> list[Decimal]:
    return [Decimal(value) for value in values]


def mean(values: Sequence[Decimal]) -> Decimal:
    return total(values) / len(values)


def rolling(
    values: Sequence[Decimal], length: int, reduce: Callable[[Sequence[Decimal]], Decimal | None]
) -> Values:
    return [None if i + 1 < length else reduce(values[i + 1 - length : i + 1]) for i in range(len(values))]


def sma(bars: Bars, period: int) -> list[Values]:
    return [rolling(exact(bars.close), period, mean)]


def ema_of(values: Sequence[Decimal], period: int) -> Values:
    """Seeded with the mean of the first `period` values."""
    out: Values = [None] * min(len(values), period - 1)
    if len(values) < period:
        return out
    weight = Decimal(2) / (period + 1)
    current = mean(values[:period])
    out.append(current)
    for value in values[period:]:
        current = weight * value + (1 - weight) * current
        out.append(current)
    return out


def ema(bars: Bars, period: int) -> list[Values]:
    return [ema_of(exact(bars.close), period)]


def wilder(values: Sequence[Decimal], period: int) -> Values:
    """Wilder's average, seeded with the mean of the first `period` values."""
    out: Values = [None] * min(len(values), period - 1)
    if len(values) < period:
        return out
    current = mean(values[:period])
    out.append(current)
    for value in values[period:]:
        current += (value - current) / period
        out.append(current)
    return out


def rsi(bars: Bars, period: int) -> list[Values]:
    prices = exact(bars.close)
    changes = [after - before for before, after in pairwise(prices)]
    gains = wilder([max(change, Decimal(0)) for change in changes], period)
    losses = wilder([max(-change, Decimal(0)) for change in changes], period)
    out: Values = [None] * min(1, len(prices))
    for gain, loss in zip(gains, losses, strict=True):
        if gain is None or loss is None:
            out.append(None)
        else:
            out.append(HUNDRED * gain / (gain + loss) if gain + loss else Decimal(0))
    return [out]


def macd(bars: Bars, fast: int, slow: int, signal: int) -> list[Values]:
    prices = exact(bars.close)
    skipped = slow - fast
    waiting: Values = [None] * min(skipped, len(prices))
    quick = waiting + ema_of(prices[skipped:], fast)
    late = ema_of(prices, slow)
    line = [None if q is None or s is None else q - s for q, s in zip(quick, late, strict=True)]
    known = [value for value in line if value is not None]
    unknown: Values = [None] * (len(line) - len(known))
    smooth = unknown + ema_of(known, signal)
    masked = [None if s is None else value for value, s in zip(line, smooth, strict=True)]
    gap = [None if v is None or s is None else v - s for v, s in zip(masked, smooth, strict=True)]
    return [masked, smooth, gap]


def true_ranges(bars: Bars) -> list[Decimal]:
    """From the second bar on."""
    highs, lows, closes = exact(bars.high), exact(bars.low), exact(bars.close)
    return [max(highs[i], closes[i - 1]) - min(lows[i], closes[i - 1]) for i in range(1, len(closes))]


def average_range(bars: Bars, period: int) -> Values:
    return [None] * min(1, len(bars.close)) + wilder(true_ranges(bars), period)


def atr(bars: Bars, period: int) -> list[Values]:
    return [average_range(bars, period)]


def deviation(values: Sequence[Decimal]) -> Decimal:
    middle = mean(values)
    return (total([(value - middle) ** 2 for value in values]) / len(values)).sqrt()


def bollinger(bars: Bars, period: int, width: float) -> list[Values]:
    prices = exact(bars.close)
    middle, sigma = rolling(prices, period, mean), rolling(prices, period, deviation)
    pairs = list(zip(middle, sigma, strict=True))
    upper = [None if m is None or s is None else m + Decimal(width) * s for m, s in pairs]
    lower = [None if m is None or s is None else m - Decimal(width) * s for m, s in pairs]
    return [upper, middle, lower]


def zscore(bars: Bars, period: int) -> list[Values]:
    def score(window: Sequence[Decimal]) -> Decimal:
        sigma = deviation(window)
        return (window[-1] - mean(window)) / sigma if len(set(window)) > 1 else Decimal(0)

    return [rolling(exact(bars.close), period, score)]


def stochastic(bars: Bars, period: int, smooth: int, signal: int) -> list[Values]:
    top, bottom = rolling(exact(bars.high), period, max), rolling(exact(bars.low), period, min)
    fast: list[Decimal] = []
    for t, b, price in zip(top, bottom, exact(bars.close), strict=True):
        if t is not None and b is not None:
            fast.append(HUNDRED * (price - b) / (t - b) if t != b else Decimal(0))
    slow = [value for value in rolling(fast, smooth, mean) if value is not None]
    second = [value for value in rolling(slow, signal, mean) if value is not None]
    missing: Values = [None] * (len(bars.close) - len(second))
    return [missing + slow[len(slow) - len(second) :], missing + second]


def obv(bars: Bars) -> list[Values]:
    balance = Decimal(0)
    out: Values = []
    for i, traded in enumerate(exact(bars.volume)):
        if i == 0 or bars.close[i] > bars.close[i - 1]:
            balance += traded
        elif bars.close[i] < bars.close[i - 1]:
            balance -= traded
        out.append(balance)
    return [out]


def price_by_volume(bars: Bars, first: int, last: int) -> Decimal | None:
    paid, traded = Decimal(0), Decimal(0)
    for i in range(first, last + 1):
        price = (Decimal(bars.high[i]) + Decimal(bars.low[i]) + Decimal(bars.close[i])) / 3
        paid += price * Decimal(bars.volume[i])
        traded += Decimal(bars.volume[i])
    return paid / traded if traded else None


def vwap(bars: Bars, period: int) -> list[Values]:
    return [
        [None if i + 1 < period else price_by_volume(bars, i + 1 - period, i) for i in range(len(bars.close))]
    ]


def session_vwap(bars: Bars) -> list[Values]:
    out: Values = []
    for i in range(len(bars.close)):
        start = i
        while start > 0 and bars.session[start - 1] == bars.session[i]:
            start -= 1
        out.append(price_by_volume(bars, start, i))
    return [out]


def volume_spike(bars: Bars, period: int) -> list[Values]:
    def ratio(window: Sequence[Decimal]) -> Decimal | None:
        average = mean(window)
        return window[-1] / average if average else None

    return [rolling(exact(bars.volume), period, ratio)]


def adx(bars: Bars, period: int) -> list[Values]:
    """Wilder's sums as in TA-Lib: period - 1 bars are summed, each later one first lets go of 1 / period."""
    high, low = bars.high, bars.low
    ranges = true_ranges(bars)
    sums = [Decimal(0)] * 3
    strengths: list[Decimal] = []
    current: Decimal | None = None
    out: list[Values] = [[], [], []]
    for i in range(len(high)):
        if i == 0:
            for values in out:
                values.append(None)
            continue
        up, down = high[i] - high[i - 1], low[i - 1] - low[i]
        if i >= period:
            sums = [total * (1 - Decimal(1) / period) for total in sums]
        sums[0] += Decimal(up) if up > max(down, 0.0) else Decimal(0)
        sums[1] += Decimal(down) if down > max(up, 0.0) else Decimal(0)
        sums[2] += ranges[i - 1]
        plus, minus = (HUNDRED * total / sums[2] if sums[2] else Decimal(0) for total in sums[:2])
        if i >= period:
            directed = abs(sums[0] - sums[1]) / (sums[0] + sums[1]) * 100 if sums[0] + sums[1] else None
            if current is None:
                strengths.append(directed if directed is not None else Decimal(0))
                if len(strengths) == period:
                    current = mean(strengths)
            elif directed is not None:
                current += (directed - current) / period
        for values, value in zip(out, (current, plus, minus), strict=True):
            values.append(None if current is None else value)
    return out


def supertrend(bars: Bars, period: int, multiplier: float) -> list[Values]:
    """Line, direction, and the smallest relative distance at which a bar's comparisons were decided."""
    prices = exact(bars.close)
    line: Values = []
    direction: Values = []
    margin: Values = []
    upper = lower = trend = None
    for i, reach in enumerate(average_range(bars, period)):
        if reach is None:
            line.append(None)
            direction.append(None)
            margin.append(None)
            continue
        middle = (Decimal(bars.high[i]) + Decimal(bars.low[i])) / 2
        top, bottom = middle + Decimal(multiplier) * reach, middle - Decimal(multiplier) * reach
        nearest = None
        if upper is None or lower is None or trend is None:
            trend = Decimal(-1)
        else:
            decided = [prices[i - 1] - upper, prices[i - 1] - lower]
            top = top if prices[i - 1] > upper else min(top, upper)
            bottom = bottom if prices[i - 1] < lower else max(bottom, lower)
            decided += [prices[i] - top, prices[i] - bottom]
            nearest = min(abs(gap) for gap in decided) / max(abs(prices[i]), abs(top), abs(bottom))
            if trend < 0 and prices[i] > top:
                trend = Decimal(1)
            elif trend > 0 and prices[i] < bottom:
                trend = Decimal(-1)
        upper, lower = top, bottom
        line.append(lower if trend > 0 else upper)
        direction.append(trend)
        margin.append(nearest)
    return [line, direction, margin]


def ichimoku(bars: Bars, tenkan: int, kijun: int, senkou: int, shift: int) -> list[Values]:
    def middles(length: int) -> Values:
        tops, bottoms = rolling(exact(bars.high), length, max), rolling(exact(bars.low), length, min)
        return [None if t is None or b is None else (t + b) / 2 for t, b in zip(tops, bottoms, strict=True)]

    fast, base, far = middles(tenkan), middles(kijun), middles(senkou)
    out: list[Values] = [[], [], [], [], []]
    for i, price in enumerate(exact(bars.close)):
        then = max(i - shift, 0)
        known = (fast[then], base[then], far[then])
        row: list[Decimal | None] = [None] * 5
        if i >= shift and known[0] is not None and known[1] is not None and known[2] is not None:
            row = [fast[i], base[i], (known[0] + known[1]) / 2, known[2], price - Decimal(bars.close[then])]
        for values, value in zip(out, row, strict=True):
            values.append(value)
    return out


def rsi_divergence(bars: Bars, period: int, wing: int, reach: int) -> list[Values]:
    """From the definition: at bar t look at all pivots confirmed by then, and compare the last two."""
    close = bars.close
    strength = [value if value is not None else Decimal(0) for value in rsi(bars, period)[0]]
    out: list[Values] = []
    for side in (-1.0, 1.0):
        values: Values = []
        pivots: list[int] = []
        for t in range(len(close)):
            p = t - wing
            found = Decimal(0)
            if t < wing + max(period, wing):
                values.append(None)
                continue
            before = [side * price for price in close[p - wing : p]]
            after = [side * price for price in close[p + 1 : t + 1]]
            if max(before) < side * close[p] and max(after) <= side * close[p]:
                if pivots and p - pivots[-1] <= reach:
                    q = pivots[-1]
                    if side * close[p] > side * close[q] and Decimal(side) * (strength[p] - strength[q]) < 0:
                        found = Decimal(1)
                pivots.append(p)
            values.append(found)
        out.append(values)
    return out


ORACLES: dict[str, Callable[..., list[Values]]] = {
    "sma": sma,
    "ema": ema,
    "rsi": rsi,
    "macd": macd,
    "atr": atr,
    "bollinger": bollinger,
    "zscore": zscore,
    "stochastic": stochastic,
    "obv": obv,
    "vwap": vwap,
    "session_vwap": session_vwap,
    "volume_spike": volume_spike,
    "adx": adx,
    "supertrend": supertrend,
    "ichimoku": ichimoku,
    "rsi_divergence": rsi_divergence,
}


def expected(name: str, params: Sequence[float], bars: Bars) -> list[Values]:
    """Outputs of indicator `name`, each as long as `bars`."""
    with localcontext() as context:
        context.prec = 100
        return ORACLES[name](bars, *(int(value) if value == int(value) else value for value in params))
