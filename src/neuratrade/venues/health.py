"""Whether a venue answers: asked every so often, and called degraded after three questions without an answer.

Waits between failures grow 1, 2, 4, 8 s, each a little longer or shorter than that, so that many desks do not
come back at the same instant.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable

from neuratrade.feeds.clock import Clock

PING_S = 30.0
FAILURES = 3
WAITS_S = (1.0, 2.0, 4.0, 8.0)
JITTER = 0.2


def backoff_s(attempt: int, draw: Callable[[], float] = random.random) -> float:
    """How long to wait before a try. attempt: tries that failed in a row, from 0. draw: 0 to below 1."""
    wait_s = WAITS_S[min(max(attempt, 0), len(WAITS_S) - 1)]
    return wait_s * (1 + JITTER * (2 * draw() - 1))


async def watch_health(ping: Callable[[], Awaitable[None]], clock: Clock) -> AsyncIterator[bool]:
    """Asks for ever; tells True when the venue becomes degraded and False when it answers again.

    ping: raises where there is no answer; its caller bounds how long it takes.
    """
    failed, degraded = 0, False
    while True:
        try:
            await ping()
        except Exception:  # noqa: BLE001 - whatever it was, there was no answer
            failed += 1
        else:
            failed = 0
        if degraded != (failed >= FAILURES) and (not failed or failed >= FAILURES):
            degraded = not degraded
            yield degraded
        await clock.sleep(backoff_s(failed - 1) if failed else PING_S)
