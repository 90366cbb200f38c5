"""Numbers that judge a backtest: `measure` for the figures, `confidence` for how far they can be believed.

Under them are pure functions over arrays, one file a subject: `returns`, `drawdowns`, `deals`, `bootstrap`,
`deflated`. None of them invents a number: where one is not defined it is None.
"""

from neuratrade.research.metrics.measure import Confidence, Metrics, confidence, measure

__all__ = ["Confidence", "Metrics", "confidence", "measure"]
