"""The comparison with other programs: none is left out, none can end it, and its figures can be read again.

The programs are scripts in the place of interpreters; they speak as the real ones do.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import reference
from benchmarks.backtest import __main__ as harness
from benchmarks.backtest import compare, contenders, install, processes, table
from benchmarks.backtest.contenders import Contender
from benchmarks.backtest.rows import Claim, Row

LINE = {
    "name": "vectorbt",
    "version": "9.9",
    "run_s": 0.5,
    "runs_s": [0.4, 0.5, 0.7],
    "cpu_s": 0.45,
    "trades": 7,
    "final_equity": 9_999_000.5,
    "rss_mb": 123.4,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "reference-1.npz"
    np.savez(path, **reference.series().first(2_000)._asdict())
    return path


def installed(folder: Path, name: str, script: str) -> Contender:
    """A peer whose interpreter is this script."""
    python = contenders.python_of(folder, name)
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return next(peer for peer in contenders.peers(folder) if peer.name == name)


def saying(line: dict[str, object]) -> str:
    """A script that prints this line of JSON."""
    return f"cat <<'END'\n{json.dumps(line)}\nEND"


def test_every_peer_keeps_its_row_where_none_is_installed(tmp_path: Path, data: Path) -> None:
    rows = [compare.measure(peer, data, 60.0) for peer in contenders.peers(tmp_path)]
    assert [row.name for row in rows] == list(contenders.pinned())
    assert {row.status for row in rows} == {"not installed"}
    assert all(row.version and row.run_s is None for row in rows)


def test_a_peer_that_answers_has_its_own_version_and_its_ratio_to_the_plain_loop(
    tmp_path: Path, data: Path
) -> None:
    peer = installed(tmp_path, "vectorbt", f"echo '{{broken'; {saying(LINE)}; echo done")
    row = compare.measure(peer, data, 60.0)
    assert (row.status, row.version, row.trades) == ("measured", "9.9", 7)
    assert (row.run_s, row.low_s, row.high_s, row.rss_mb) == (0.5, 0.4, 0.7, 123.4)
    assert row.plain_s is not None
    assert row.ratio == 0.5 / row.plain_s
    assert row.whole_s is not None
    assert row.whole_s > 0


def test_a_peer_that_fails_says_why_in_its_row(tmp_path: Path, data: Path) -> None:
    peer = installed(tmp_path, "backtesting", "echo one >&2; echo 'ImportError: no numpy' >&2; exit 3")
    assert compare.measure(peer, data, 60.0).status == "failed: ImportError: no numpy"


def test_a_peer_that_fails_without_a_word_is_told_by_its_exit_code(tmp_path: Path, data: Path) -> None:
    peer = installed(tmp_path, "backtesting", "exit 3")
    assert compare.measure(peer, data, 60.0).status == "failed: ended with 3"


def test_a_peer_that_says_nothing_has_failed(tmp_path: Path, data: Path) -> None:
    peer = installed(tmp_path, "nautilus_trader", "echo all well")
    assert compare.measure(peer, data, 60.0).status == "failed: printed no line of JSON"


def test_a_peer_that_leaves_figures_out_has_failed_and_names_them(tmp_path: Path, data: Path) -> None:
    some = {name: value for name, value in LINE.items() if name not in {"trades", "rss_mb"}}
    peer = installed(tmp_path, "freqtrade", saying(some))
    assert compare.measure(peer, data, 60.0).status == "failed: said nothing of rss_mb, trades"


def test_a_peer_that_takes_too_long_is_ended(tmp_path: Path, data: Path) -> None:
    peer = installed(tmp_path, "freqtrade", "exec sleep 600")
    assert compare.measure(peer, data, 0.2).status == "failed: took longer than 0.2 s"


def test_a_peer_finds_none_of_our_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/ours")
    script = 'echo "{\\"path\\": \\"${PYTHONPATH-none}\\"}"'
    peer = installed(tmp_path, "vectorbt", script)
    answer = processes.run(peer.python, peer.module, [], environment=processes.peer_environment())
    assert answer.found == {"path": "none"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the memory of other processes")
def test_the_memory_of_a_program_counts_its_children(tmp_path: Path) -> None:
    hold = "import time; held = b'x' * 60_000_000; time.sleep(1.5); print('{\\\"a\\\": 1}')"
    peer = installed(tmp_path, "vectorbt", f'{sys.executable} -c "{hold}"; exit 0')
    answer = processes.run(peer.python, peer.module, [], weigh=True)
    assert answer.found == {"a": 1}
    assert answer.pss_mb is not None
    assert 60 < answer.pss_mb < 200


def test_every_pinned_peer_has_a_script_and_every_script_a_pin() -> None:
    folder = Path(contenders.__file__).parent / "peers"
    scripts = {path.stem for path in folder.glob("*.py")} - {"__init__", "outcome", "rsi"}
    assert scripts == set(contenders.pinned()) == {peer.name for peer in contenders.peers(folder)}
    assert all(contenders.pinned().values())


def test_the_folder_of_peers_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(contenders.FOLDER, raising=False)
    assert contenders.peers_folder() == contenders.ROOT / ".peers"
    monkeypatch.setenv(contenders.FOLDER, str(tmp_path))
    assert contenders.peers_folder() == tmp_path


def test_a_peer_that_cannot_be_installed_is_an_answer(tmp_path: Path) -> None:
    installed(tmp_path, "vectorbt", "echo 'ERROR: no such version' >&2; exit 1")
    assert install.install(tmp_path, "vectorbt", "0") == "ERROR: no such version"


def test_the_file_of_results_tells_rows_claims_and_the_machine() -> None:
    row = Row(name="a", kind="peer", status="not installed", version="1")
    claims = [Claim(name="b", value=2.0, unit="s", target=1.0), Claim(name="c", value=2.0, unit="s")]
    found = json.loads(json.dumps(harness.document([row], claims, 0.5)))
    assert set(found) == {"at", "on", "rows", "claims"}
    assert found["on"]["load_at_start"] == 0.5
    assert found["on"]["cores"] == os.cpu_count()
    assert found["rows"][0]["status"] == "not installed"
    assert found["rows"][0]["run_s"] is None
    assert [claim["met"] for claim in found["claims"]] == [False, None]


@pytest.mark.parametrize(
    ("value", "better", "met"),
    [(1.0, "lower", True), (1.1, "lower", False), (1.0, "higher", True), (0.9, "higher", False)],
)
def test_a_target_is_kept_at_the_figure_itself(value: float, better: str, met: bool) -> None:
    assert Claim(name="a", value=value, unit="s", target=1.0, better=better).met is met


def test_what_was_not_measured_does_not_keep_its_target() -> None:
    assert Claim(name="a", value=None, unit="s", target=1.0).met is False


def test_a_claim_that_cannot_run_says_why_and_is_not_met(tmp_path: Path) -> None:
    (claim,) = compare.sweep(Path(sys.executable), tmp_path / "none.npz", 100, 2)
    assert claim.met is False
    assert "No such file" in claim.note


def test_the_table_shows_each_program_and_what_became_of_it() -> None:
    rows = [
        Row(name="one", kind="ours", status="measured", version="1", run_s=0.25, trades=4420, ratio=1.5),
        Row(name="two", kind="peer", status="not installed", version="2", note="its own rule"),
        Row(name="three", kind="peer", status="failed: [no] numpy", version="3"),
    ]
    console = Console(width=150, record=True, file=None, quiet=False)
    with console.capture() as shown:
        table.show(rows, [Claim(name="a year", value=0.25, unit="s", target=0.8)], console)
    text = shown.get()
    assert "4,420" in text
    assert "not installed" in text
    assert "two: its own rule" in text
    assert "three: failed: [no] numpy" in text
    assert "yes" in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--rounds", "0"], "--rounds is 0; give 1 to 1000"),
        (["--variants", "101"], "--variants is 101; give 1 to 100"),
        (["--bars", "0"], "--bars is 0; give 1 to 525600"),
        (["--processes", "-1"], "--processes is -1; give 1 to 256"),
        (["--patience", "0"], "--patience is 0; give more than 0"),
        (["--patience", "nan"], "--patience is nan; give more than 0"),
        (["everything"], "invalid choice: 'everything'"),
        (["--rounds", "many"], "invalid int value: 'many'"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        harness.arguments(given)
    assert said in capsys.readouterr().err


def test_a_results_file_in_a_folder_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="the folder does not exist; make it first"):
        harness.main(["--json", str(tmp_path / "none" / "a.json")])


@pytest.mark.parametrize(("count", "first", "last"), [(100, "26", "35"), (4, "26", "35"), (1, "26", "26")])
def test_fewer_variants_are_spread_over_the_grid(count: int, first: str, last: str) -> None:
    from benchmarks.backtest.claims import variants_of

    grid = variants_of(count)
    assert len({tuple(item.items()) for item in grid}) == count
    assert (str(grid[0]["buy_level_points"]), str(grid[-1]["buy_level_points"])) == (first, last)
