"""What every test gets: a home of its own, recorded data where present, repeatable hypothesis runs."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import postgres_server

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"

COVERED = (
    "semantics",
    "unit/bars",
    "unit/engine",
    "unit/indicators",
    "unit/model",
    "unit/risk",
    "unit/strategies",
    "unit/hands/test_door.py",
    "unit/research/test_backtest.py",
)
"""Where the core is proven rule by rule. Only these tests are traced for coverage: a tracer makes a test two
to three times as slow, and a line that only some world of faults happens to cross is not proven by it."""

settings.register_profile("ci", derandomize=True, max_examples=100, deadline=None)
settings.load_profile("ci")

# A shell that starts the suite in the background makes it, and every desk it starts, deaf to Ctrl-C; one that
# lets it outlive a terminal (nohup), deaf to that terminal's end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only the core's own tests are traced; tests of recorded data are skipped where there is none."""
    covered = tuple(REPOSITORY / "tests" / place for place in COVERED)
    for item in items:
        if not any(item.path.is_relative_to(place) for place in covered):
            item.add_marker(pytest.mark.no_cover)
    if SHARED_DATA.is_dir():
        return
    absent = pytest.mark.skip(reason=f"no recorded data at {SHARED_DATA}")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(absent)


@pytest.fixture(autouse=True)
def neuratrade_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder for each test, so that none can see or touch the operator's desk."""
    home = tmp_path / "neuratrade-home"
    monkeypatch.setenv("NEURATRADE_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded market data; use it in tests marked `shared`."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no recorded data at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    """The socket folder of a PostgreSQL that lives as long as the test run; mark such tests `postgres`."""
    programs = postgres_server.find_programs()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed: .ci/setup installs it")
        pytest.skip("PostgreSQL is not installed: .ci/setup installs it")
    with postgres_server.postgres_server(programs) as socket_folder:
        yield socket_folder


@pytest.fixture
def postgres_url(postgres_socket: Path) -> Iterator[str]:
    """The SQLAlchemy address of an empty PostgreSQL database that this test has for itself."""
    with postgres_server.empty_database(postgres_socket) as url:
        yield url
