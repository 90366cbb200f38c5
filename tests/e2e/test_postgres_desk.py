"""The same desk on PostgreSQL: the database is named in the environment and nothing else changes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).parent / "neuratrade"


def neuratrade(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "NEURATRADE_DATABASE_URL": url}
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, env=environment, timeout=120, check=False
    )


@pytest.mark.postgres
@pytest.mark.slow
def test_a_run_on_postgresql_trades_is_audited_and_explains_itself(
    postgres_url: str, neuratrade_home: Path
) -> None:
    ran = neuratrade(postgres_url, "run", "--speed", "max", "--json")
    assert ran.returncode == 0, ran.stderr
    summary = json.loads(ran.stdout.splitlines()[-1])
    assert summary["trades"] >= 20
    assert not (neuratrade_home / "neuratrade.db").exists()
    audit = json.loads(neuratrade(postgres_url, "audit", "verify", "--json").stdout)
    assert audit["ok"] is True
    assert audit["rows"] == summary["rows"]
    decisions = json.loads(neuratrade(postgres_url, "why", "--last", "1", "--json").stdout)
    assert len(decisions[0]["layers"]) > 30
    status = json.loads(neuratrade(postgres_url, "status", "--json").stdout)
    assert status["equity"] == summary["equity"]


def test_an_address_of_no_database_is_refused_without_showing_its_password(
    neuratrade_home: Path,
) -> None:
    neuratrade_home.mkdir(exist_ok=True)
    asked = neuratrade("mysql://me:sesame@127.0.0.1/x", "status")
    assert asked.returncode == 1
    assert "SQLite or PostgreSQL" in asked.stderr
    assert "sesame" not in asked.stderr + asked.stdout
