"""Whether a venue answers: asked every so often, degraded after three questions without an answer."""

from collections.abc import AsyncIterator, Awaitable, Callable

from neuratrade.feeds.clock import Clock, backoff_s

PING_S = 30.0
FAILURES = 3


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
