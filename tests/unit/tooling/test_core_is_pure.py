"""The purity lint bites on every kind of impurity, lets clean code pass, and finds none in the real core."""

from pathlib import Path

import pytest

from tools import purity

SNIPPET = Path("snippet.py")

IMPURE = {
    # wall clocks
    "import time": purity.CLOCK,
    "from time import monotonic_ns": purity.CLOCK,
    "import datetime\nx = datetime.datetime.now(datetime.UTC)": purity.CLOCK,
    "from datetime import datetime as D\nx = D.utcnow()": purity.CLOCK,
    "from datetime import date\nx = date.today()": purity.CLOCK,
    "from datetime import datetime\nread = datetime.now": purity.CLOCK,
    "def f(clock):\n    return clock.now()": purity.CLOCK,
    "import numpy as np\nx = np.datetime64('now')": purity.CLOCK,
    # randomness
    "import random": purity.RANDOM,
    "from secrets import token_hex": purity.RANDOM,
    "import uuid\nx = uuid.uuid4()": purity.RANDOM,
    "from uuid import uuid1": purity.RANDOM,
    "import numpy as np\nx = np.random.default_rng(1)": purity.RANDOM,
    "from numpy import random": purity.RANDOM,
    "import numpy.random": purity.RANDOM,
    "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey\n"
    "key = Ed25519PrivateKey.generate()": purity.RANDOM,
    # values that differ between two processes
    "x = hash('BTC/USD')": purity.PROCESS,
    "x = id(object())": purity.PROCESS,
    "import sys": purity.PROCESS,
    # concurrency
    "async def f(): ...": purity.CONCURRENCY,
    "async def f(x):\n    await x": purity.CONCURRENCY,
    "async def f(x):\n    async with x: ...": purity.CONCURRENCY,
    "async def f(xs):\n    async for x in xs: ...": purity.CONCURRENCY,
    "async def f(xs):\n    return [x async for x in xs]": purity.CONCURRENCY,
    "import asyncio": purity.CONCURRENCY,
    "import threading": purity.CONCURRENCY,
    "from concurrent.futures import ThreadPoolExecutor": purity.CONCURRENCY,
    "import subprocess": purity.CONCURRENCY,
    # logging and printing
    "import logging": purity.LOGGING,
    "import structlog": purity.LOGGING,
    "from warnings import warn": purity.LOGGING,
    "print('filled')": purity.LOGGING,
    "x = list(map(print, ['filled']))": purity.LOGGING,
    # zones
    "from zoneinfo import ZoneInfo": purity.ZONE,
    "import pytz": purity.ZONE,
    "from datetime import datetime\nx = datetime.fromtimestamp(0)": purity.ZONE,
    "def f(moment):\n    return moment.astimezone()": purity.ZONE,
    # input and output
    "import os": purity.IO,
    "import os.path as p": purity.IO,
    "import io": purity.IO,
    "from pathlib import Path": purity.IO,
    "import socket": purity.IO,
    "import sqlite3": purity.IO,
    "from urllib.request import urlopen": purity.IO,
    "import polars": purity.IO,
    "import pydantic": purity.IO,
    "x = open('bars.csv')": purity.IO,
    "open = open": purity.IO,
    "def f(path):\n    with open(path) as bars:\n        return bars": purity.IO,
    "def f(path, read=open):\n    return read(path)": purity.IO,
    "import numpy as np\nx = np.load('bars.npy')": purity.IO,
    "def f(closes):\n    closes.tofile('bars')": purity.IO,
    # dynamic code and global state
    "x = eval('1')": purity.DYNAMIC,
    "exec('x = 1')": purity.DYNAMIC,
    "x = __import__('time')": purity.DYNAMIC,
    "import importlib": purity.DYNAMIC,
    "def f():\n    global COUNT\n    COUNT = 1": purity.MUTABLE_GLOBAL,
    # results that depend on the processor
    "from numba import njit\n@njit(fastmath=True)\ndef f(): ...": purity.INEXACT,
    "import numba\nf = numba.njit(parallel=True)": purity.INEXACT,
    # modules nobody has judged, and other rooms
    "import requests_cache": purity.UNJUDGED,
    "from neuratrade.store import journal": purity.UNJUDGED,
    "import neuratrade.hands.runner": purity.UNJUDGED,
}

PURE = {
    "time as a field": "def step(now_ns: int) -> int:\n    return now_ns + 1",
    "exact arithmetic": "from decimal import Decimal\nx = Decimal('1.5').quantize(Decimal('0.1'))",
    "a moment with its zone": "from datetime import UTC, datetime\nx = datetime.fromtimestamp(0, UTC)\n"
    "y = datetime.fromtimestamp(0, tz=UTC).astimezone(UTC)",
    "an argument named open": "def body(open: float, close: float) -> float:\n    return close - open",
    "a field named open": "class Bar:\n    open: float\ndef f(bar: Bar) -> float:\n    return bar.open",
    "a local variable named id": "def f(order):\n    id = order.id\n    return id",
    "a kernel": "import numpy as np\nfrom numba import njit\n@njit(cache=True, fastmath=False)\n"
    "def f(x):\n    return np.sqrt(x)",
    "identifiers read, not made": "from uuid import UUID, uuid5\nx = uuid5(UUID(int=0), 'intent')",
    "digests": "import hashlib\nx = hashlib.sha256(b'intent').hexdigest()[:32]",
    "its own room": "from neuratrade.core.model import bar\nimport neuratrade.core.risk.gate",
}


@pytest.mark.parametrize(("source", "why"), IMPURE.items())
def test_each_impurity_is_refused_with_its_reason(source: str, why: str) -> None:
    assert why in {finding.why for finding in purity.check_source(source, SNIPPET)}


@pytest.mark.parametrize("source", PURE.values(), ids=PURE.keys())
def test_clean_code_passes(source: str) -> None:
    assert purity.check_source(source, SNIPPET) == []


def test_a_finding_names_file_line_and_reason() -> None:
    (finding,) = purity.check_source("x = 1\n\nimport time\n", Path("core/late.py"))
    assert str(finding) == f"core/late.py:3: import time: {purity.CLOCK}"


def test_a_file_that_cannot_be_parsed_is_a_finding() -> None:
    (finding,) = purity.check_source("def f(:\n", SNIPPET)
    assert finding.line == 1
    assert "syntax error" in str(finding)


def test_a_folder_is_searched_to_the_bottom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = tmp_path / "risk" / "layers"
    deep.mkdir(parents=True)
    (deep / "late.py").write_text("import random\n")
    assert purity.main([str(tmp_path)]) == 1
    assert f"{deep / 'late.py'}:1: import random" in capsys.readouterr().out


def test_a_folder_without_python_is_no_pass(tmp_path: Path) -> None:
    assert purity.main([str(tmp_path)]) == 2


def test_the_real_core_is_pure(repository: Path) -> None:
    findings = purity.check_folder(repository / "src" / "neuratrade" / "core")
    assert not findings, "\n".join(map(str, findings))
