"""Proposals over the bus of a running desk: judged like any other, and answered to whoever sent them."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from neuratrade.app.desk import Desk
from neuratrade.core.model import facts as f
from tests.unit.app.recorded_desk import opened, short_data
from tests.unit.hands.test_runner import journaled

INTENT_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    short_data(folder, 1)
    return folder


def proposal(**changes: object) -> bytes:
    document = {
        "intent_id": INTENT_ID,
        "asset": "ETH/USDT",
        "direction": "LONG",
        "trigger_price": 2500.5,
        "take_profit": 2600,
        "stop_loss": 2450,
        "confidence": 0.85,
        "strategy_ref": "agent",
        "timestamp": datetime.now(UTC).isoformat(),
    }
    return json.dumps(document | changes).encode()


async def verdict_on(desk: Desk, raw: bytes) -> dict[str, object]:
    running = asyncio.create_task(desk.run())
    name = await desk.bus.publish(raw, "agent")
    verdict = await desk.bus.verdict(name, 20)
    desk.runner.ask_to_stop("the test has its answer")
    await running
    assert verdict is not None
    answer = json.loads(verdict)
    assert isinstance(answer, dict)
    return answer


async def test_a_proposal_on_the_bus_is_journaled_and_its_verdict_comes_back(home: Path) -> None:
    with opened(home) as desk:
        answer = await verdict_on(desk, proposal())
    (judged,) = [
        fact
        for fact in journaled(home)
        if isinstance(fact, f.IntentJudged) and fact.intent.intent_id == INTENT_ID
    ]
    assert answer["approved"] is judged.approved
    assert judged.intent.source == "bus:agent"


async def test_a_document_that_is_no_proposal_is_turned_away_over_the_bus(home: Path) -> None:
    with opened(home) as desk:
        answer = await verdict_on(desk, proposal(stop_loss=2700))
    assert answer["approved"] is False
    assert "stop_loss" in str(answer["errors"])
    (refused,) = [fact for fact in journaled(home) if isinstance(fact, f.DoorRefused)]
    assert refused.source == "bus:agent"
