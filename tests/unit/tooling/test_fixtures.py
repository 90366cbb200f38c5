"""What the shared fixtures promise to every other test."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, text


def test_the_home_is_empty_and_not_the_operators(neuratrade_home: Path, tmp_path: Path) -> None:
    assert os.environ["NEURATRADE_HOME"] == str(neuratrade_home)
    assert neuratrade_home.is_relative_to(tmp_path)
    assert not neuratrade_home.exists()


def test_hypothesis_runs_are_repeatable_and_without_deadline() -> None:
    assert settings.default is not None
    assert settings.default.derandomize
    assert settings.default.deadline is None


@pytest.mark.shared
def test_recorded_data_lies_beside_the_checkout(shared_data: Path) -> None:
    assert (shared_data / "PROVENANCE.md").is_file()


@pytest.mark.postgres
def test_each_test_gets_an_empty_postgres_database_of_its_own(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        tables = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        assert tables == []
        connection.execute(text("CREATE TABLE journal (seq BIGINT PRIMARY KEY)"))
    engine.dispose()


@pytest.mark.postgres
def test_postgres_is_reached_by_socket_and_opens_no_port(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW listen_addresses")) == ""
    engine.dispose()
