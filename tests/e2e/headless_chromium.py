"""A browser without a screen: what a page becomes once its script has run, and what it complained of."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--virtual-time-budget=10000",
)


class Seen(NamedTuple):
    """dom: the document after its script ran. complaints: what the console said, line by line."""

    dom: str
    complaints: list[str]


def find_chromium() -> str | None:
    """The browser's program, or None where none is installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def open_page(program: str, page: Path, profile: Path, *flags: str, fragment: str = "") -> Seen:
    """Loads a file and waits for its script. profile: an empty folder of this visit's own."""
    address = page.resolve().as_uri() + fragment
    words = [program, *FLAGS, f"--user-data-dir={profile}", *flags, "--dump-dom", address]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=180, check=True)
    complaints = [line for line in ended.stderr.splitlines() if re.search(r":CONSOLE[:(]", line)]
    return Seen(ended.stdout, complaints)
