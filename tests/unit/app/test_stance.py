"""What the file says about risk reaches the gate."""

from pathlib import Path

from neuratrade.app.looking import reading
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import OpenIntent
from neuratrade.store.home import Home
from tests.unit.app.recorded_desk import finish, opened, short_data, step

CAUTIOUS = "risk: {profile: low, boldest: DEFENSIVE, phase: bootstrap}\n"


def _answers(home: Path, said: str) -> list[f.IntentJudged]:
    (home / "config").mkdir(parents=True)
    (home / "config" / "neuratrade.yaml").write_text(said)
    short_data(home, 4)
    desk = opened(home)
    step(desk)
    finish(desk)
    with reading(Home(home)) as reader:
        facts = [row.fact() for row in reader.rows()]
    return [fact for fact in facts if isinstance(fact, f.IntentJudged)]


def test_a_stance_in_the_file_shrinks_or_refuses_what_the_gate_would_have_taken(tmp_path: Path) -> None:
    usual = _answers(tmp_path / "usual", "")
    careful = _answers(tmp_path / "careful", CAUTIOUS)
    taken = [item for item in usual if item.approved]
    assert taken, "something to compare with"
    # The same bars gave the same first idea to both.
    first = next(item for item in careful if item.at_ns == taken[0].at_ns)
    assert isinstance(first.intent, OpenIntent)
    assert "low, DEFENSIVE, bootstrap" in str(first)
    assert not first.approved or first.quantity <= taken[0].quantity / 4
