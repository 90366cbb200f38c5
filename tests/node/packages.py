"""Where the clients of `tests/node` are, and how a script of ours runs with them."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
PLACE = Path(os.environ.get("NEURATRADE_NODE") or HERE.parent.parent / ".node")
HINT = "sh tests/node/install.sh"
MOST_S = 120


def missing(package: str) -> str | None:
    """Why a script that needs a package cannot run here, None where it can."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not (PLACE / "node_modules" / package / "package.json").is_file():
        return f"{package} is not in {PLACE}: {HINT}"
    return None


def needs(package: str) -> pytest.MarkDecorator:
    """Skips a test, and says why, where its package is missing."""
    reason = missing(package)
    return pytest.mark.skipif(reason is not None, reason=reason or "")


async def run(script: str, *words: str) -> Any:
    """Runs a script of this folder beside the loop; the JSON it printed. Raises AssertionError."""
    process = await asyncio.create_subprocess_exec(
        "node",
        str(HERE / script),
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NODE_PATH": str(PLACE / "node_modules")},
    )
    try:
        async with asyncio.timeout(MOST_S):
            out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert out, errors.decode(errors="replace")
    return json.loads(out)
