"""Keys are sent to the venue and shown to nobody: in no repr, no error, no drawn traceback, no log."""

import io
import logging
import traceback

import pytest
from rich.console import Console

from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from neuratrade.venues.alpaca.rest import Keys
from neuratrade.venues.alpaca.venue import AlpacaVenue
from tests.unit.rehearsal.exchange import warped
from tests.unit.venues.alpaca.stage import KEYS, buy, look_up, on_stage, scripted

OTHERS = Keys("key-nobody-may-see", "secret-nobody-may-see")


def has_secrets(text: str, keys: Keys) -> bool:
    return keys.secret in text or keys.key_id in text


async def opened(venue: AlpacaVenue) -> None:
    async for _ in venue.events():
        return


def test_keys_show_nothing_of_themselves() -> None:
    out = io.StringIO()
    Console(file=out).print(OTHERS)
    assert not has_secrets(repr(OTHERS) + str(OTHERS) + f"{OTHERS}" + out.getvalue(), OTHERS)


@pytest.mark.parametrize(
    "kind", [FaultKind.SERVER_ERROR, FaultKind.CUT, FaultKind.RATE_LIMITED, FaultKind.MAINTENANCE]
)
def test_no_error_shows_them(kind: FaultKind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    @warped
    async def scene() -> None:
        plan = [Fault(0.0, kind, 1e9, 9, act) for act in (Act.SUBMIT, Act.ASK, Act.CHANGE)]
        async with on_stage(*plan) as stage:
            calls = [stage.venue.submit(buy("1")), stage.venue.look_up(look_up())]
            if kind is FaultKind.MAINTENANCE:
                calls.append(opened(stage.venue))  # type: ignore[arg-type]
            for call in calls:
                with pytest.raises(Exception) as caught:  # noqa: PT011 - any error there is
                    await call
                assert not has_secrets(_of_the_adapter(caught.value), KEYS)

    scene()
    assert not has_secrets(caplog.text, KEYS)


def _of_the_adapter(error: BaseException) -> str:
    """What is shown by default: words and tracebacks without local values, which hold requests."""
    return "".join([str(error), repr(error), *traceback.format_exception(error)])


@warped
async def test_refused_keys_are_not_repeated() -> None:
    async with on_stage(keys=OTHERS) as stage:
        for call in (stage.venue.submit(buy("1")), opened(stage.venue)):
            with pytest.raises(Exception) as caught:  # noqa: PT011 - any error there is
                await call
            assert not has_secrets(_of_the_adapter(caught.value), OTHERS)


@warped
async def test_nor_are_they_where_nobody_listens() -> None:
    async with scripted() as (_, venue):
        pass
    assert not has_secrets(repr(venue) + str(venue), KEYS)
