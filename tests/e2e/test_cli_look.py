"""Commands that look: whole answers for programs, proof of the journal, output that always arrives."""

import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.desk_process import COMMAND, environment, here, neuratrade


def decisions(home: Path, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here(home, "why", "--last", "500", "--json", *words).document
    return found


def test_why_shows_every_layer_of_an_approved_and_of_a_refused_decision(finished: tuple[Path, Any]) -> None:
    home, summary = finished
    listed = decisions(home)
    assert len(listed) == summary["intents"]
    for approved in (True, False):
        first = next(item for item in listed if item["approved"] is approved)
        shown = here(home, "why", first["intent_id"], "--json").document
        for layer in shown["layers"]:
            assert {"name", "verdict", "reason", "observed", "limit"} <= set(layer)
            assert all(isinstance(layer[key], str) for key in ("name", "verdict", "reason"))
        assert shown["approved"] is approved
        refusing = [layer for layer in shown["layers"] if layer["verdict"] == "refuse"]
        assert bool(refusing) is not approved
        assert all(layer["reason"] for layer in refusing)
        assert (shown["outcome"] is not None) is approved


def test_all_layers_report_also_after_a_refusal(finished: tuple[Path, Any]) -> None:
    home, _ = finished
    names = {tuple(layer["name"] for layer in item["layers"]) for item in decisions(home)}
    assert len(names) == 1
    assert len(names.pop()) >= 20


def test_an_id_may_be_short_but_must_be_clear(finished: tuple[Path, Any]) -> None:
    home, _ = finished
    listed = decisions(home)
    whole = listed[0]["intent_id"]
    assert here(home, "why", whole[:8].upper(), "--json").document["intent_id"] == whole
    short = here(home, "why", whole[:3])
    assert (short.code, "at least 4 characters" in short.err) == (2, True)
    unknown = here(home, "why", "zzzz-not-there", "--json")
    assert unknown.code == 2
    assert "no decision with id" in unknown.document["error"]
    assert "neuratrade why --last 10" in unknown.err


def test_an_order_id_leads_to_the_decision_behind_it(finished: tuple[Path, Any]) -> None:
    home, _ = finished
    with sqlite3.connect(home / "neuratrade.db") as database:
        payload = database.execute("select payload from journal where kind = 'order_planned'").fetchone()[0]
    client_order_id = payload.partition('"client_order_id":"')[2][:32]
    bracket_id = payload.partition('"bracket_id":"')[2][:36]
    shown = here(home, "why", client_order_id, "--json").document
    assert shown["intent_id"] == bracket_id


def test_the_audit_proves_a_run_and_names_a_flipped_byte(finished: tuple[Path, Any], tmp_path: Path) -> None:
    original, summary = finished
    good = here(original, "audit", "verify", "--json")
    assert (good.code, good.document["ok"], good.document["rows"]) == (0, True, summary["rows"])
    home = tmp_path / "home"
    shutil.copytree(original, home)
    bad_seq = summary["rows"] // 2
    with sqlite3.connect(home / "neuratrade.db") as database:
        for (name,) in database.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            database.execute(f'drop trigger "{name}"')
        text = database.execute("select payload from journal where seq = ?", (bad_seq,)).fetchone()[0]
        digit = next(place for place in range(len(text) - 1, 0, -1) if text[place].isdigit())
        other = text[:digit] + ("1" if text[digit] == "0" else "0") + text[digit + 1 :]
        database.execute("update journal set payload = ? where seq = ?", (other, bad_seq))
    broken = here(home, "audit", "verify", "--json")
    assert broken.code == 1
    assert (broken.document["ok"], broken.document["first_bad_seq"]) == (False, bad_seq)
    assert broken.document["problem"]
    for_people = here(home, "audit", "verify")
    assert (for_people.code, f"BROKEN at row {bad_seq}" in for_people.out) == (1, True)


def test_status_positions_and_orders_tell_how_the_desk_stands(finished: tuple[Path, Any]) -> None:
    home, summary = finished
    status = here(home, "status", "--json").document
    assert status["run_id"] == summary["run_id"]
    assert status["equity"] == summary["equity"]
    assert status["counts"]["trades"] == summary["trades"]
    assert (status["running"], status["finished"]) == (False, True)
    names = {item["limit"] for item in status["limits_used"]}
    assert {"trades_per_day", "concurrent", "daily_loss", "drawdown_24h"} <= names
    assert here(home, "positions", "--json").document == []
    assert here(home, "orders", "--json").document == []
    assert "nothing is held" in here(home, "positions").out


def test_output_survives_terminals_and_disks_of_all_kinds(finished: tuple[Path, Any]) -> None:
    home, _ = finished
    assert neuratrade(home, "status", LC_ALL="C", PYTHONIOENCODING="ascii").code == 0
    assert neuratrade(home, "status", TERM="dumb", COLUMNS="40").code == 0
    without_home = neuratrade(home, "status", "--json", HOME="")
    assert without_home.code == 0
    full = run_into(home, "/dev/full")
    assert (full[0], b"cannot be written" in full[1], b"Traceback" in full[1]) == (1, True, False)


def run_into(home: Path, file: str) -> tuple[int, bytes]:
    with Path(file).open("wb") as target:
        done = subprocess.run(
            [*COMMAND, "status", "--json"],
            stdout=target,
            stderr=subprocess.PIPE,
            env=environment(home),
            check=False,
        )
    return done.returncode, done.stderr
