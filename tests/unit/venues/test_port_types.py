"""Only what the gate approved and the sender let pass fits into a venue, by type and at run time."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from neuratrade.core.model.approval import Approved
from neuratrade.core.model.errors import Refused
from neuratrade.venues.port import Cleared, clear, request_of
from tests.unit.hands.test_sender import ENTRY, forged, judged, plan, sender_after
from tests.unit.risk.builders import NOW_NS

HEAD = """
from neuratrade.core.model.approval import Approved, Envelope
from neuratrade.core.model.orders import OrderRequest
from neuratrade.hands.sender import Sender
from neuratrade.venues.port import Cleared, Venue

async def send(
    venue: Venue, sender: Sender, request: OrderRequest, approved: Approved, under: Envelope
) -> None:
    {line}
"""
REFUSED = {
    "await venue.submit(request)": "arg-type",
    "await venue.submit(approved)": "arg-type",
    "await venue.submit(sender.clear(request, 0))": "arg-type",
    "await venue.submit(Cleared(approved))": "arg-type",
    "await venue.submit(Cleared())": "call-arg",
    "sender.clear(Approved(request, under), 0)": "call-arg",
    "sender.clear(Approved(), 0)": "call-arg",
    "class Mine(Approved): ...": "misc",
    "class Mine(Cleared): ...": "misc",
}
ALLOWED = "await venue.submit(sender.clear(approved, 0))"


def checked(repository: Path, folder: Path) -> str:
    """What mypy says about all lines, each in a module of its own, named by its number."""
    for number, line in enumerate([*REFUSED, ALLOWED]):
        (folder / f"snippet{number}.py").write_text(HEAD.format(line=line))
    snippets = [str(path) for path in sorted(folder.glob("snippet*.py"))]
    config = ["--config-file", str(repository / "pyproject.toml"), "--cache-dir", str(folder / "cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *config, "--follow-imports", "silent", *snippets],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.stdout


def test_a_type_checker_refuses_every_way_around_the_gate_and_the_sender(
    repository: Path, tmp_path: Path
) -> None:
    said = checked(repository, tmp_path)
    for number, (line, code) in enumerate(REFUSED.items()):
        name = f"snippet{number}.py"
        errors = [text for text in said.splitlines() if name in text and " error: " in text]
        assert errors, f"{line} passes the type checker"
        assert any(f"[{code}]" in text for text in errors), errors
    assert f"snippet{len(REFUSED)}.py" not in said, "the one way that is meant to pass does not"


def test_a_venue_unwraps_only_what_the_sender_cleared() -> None:
    for other in (ENTRY, forged(ENTRY), None):
        with pytest.raises(Refused, match="did not pass the sender"):
            request_of(other)  # type: ignore[arg-type]
    sender = sender_after(judged(), plan(ENTRY))
    assert request_of(sender.clear(forged(ENTRY), NOW_NS)) is ENTRY


def test_nothing_the_sender_stops_is_cleared() -> None:
    with pytest.raises(Refused, match="was not journaled before"):
        sender_after(judged()).clear(forged(ENTRY), NOW_NS)
    with pytest.raises(Refused, match="no approved order"):
        clear(ENTRY, lambda _: None)  # type: ignore[arg-type]


def test_nobody_makes_changes_subclasses_or_copies_a_cleared_order() -> None:
    cleared = sender_after(judged(), plan(ENTRY)).clear(forged(ENTRY), NOW_NS)
    made: list[type] = [Cleared, Approved]
    for kind in made:
        with pytest.raises(Refused):
            kind()
        with pytest.raises(Refused):
            type("Mine", (kind,), {})
    with pytest.raises(Refused):
        cleared._order = forged(ENTRY)
    with pytest.raises(Refused):
        copy.copy(cleared)
    with pytest.raises(Refused):
        pickle.loads(pickle.dumps(cleared))
