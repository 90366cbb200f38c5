"""The reference rule in numbers, for every program it is tried in: nothing here needs a package.

Long only, one position of 1.0, fee 0.1 % a side, cash 10,000,000. Enter at the close of a bar whose RSI(14)
(Wilder, seeded with the plain mean of the first 14 changes) is below 32 while the previous bar's was not.
From the next bar on: stop 0.5 % below the entry (looked at first), target 1 % above, both filled at their
level; else leave at the close of the 60th bar. A bar that was left at stop or target may be entered again at
its close; one that was left for its time may not.
"""

PERIOD, BUY_BELOW = 14, 32.0
STOP_FRACTION, TARGET_FRACTION, HOLD_BARS = 0.005, 0.01, 60
FEE_FRACTION = 0.001
QUANTITY = 1.0
CASH = 10_000_000.0
NS_PER_BAR = 60 * 1_000_000_000
