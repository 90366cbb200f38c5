"""What a process asked of its files, in order, as `strace` saw it: whole data, whole paths, nothing patched.

strace needs no compiler, changes nothing in the process, and sees every way to a file, those inside SQLite
included, in one order with what the process said on its standard output. It needs Linux.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec

TRACED = (
    "openat,open,creat,close,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,ftruncate,"
    "truncate,fallocate,copy_file_range,sendfile,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,"
    "symlink,symlinkat,mkdir,mkdirat,lseek,dup,dup2,dup3,fcntl,chdir"
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\w+)(?: .*)?", re.DOTALL)
_UNFINISHED = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>", re.DOTALL)
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_ARGUMENT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(?:\.\.\.)?|\{[^}]*\}|\[[^\]]*\]|[^,\s]+')


class Call(msgspec.Struct, frozen=True):
    """One call that succeeded. text: paths and data, in order; words: all other arguments."""

    name: str
    text: tuple[bytes, ...]
    words: tuple[str, ...]
    result: int


@cache
def why_not() -> str:
    """Why calls cannot be recorded here; empty when they can."""
    if sys.platform != "linux":
        return "strace is there on Linux only"
    program = shutil.which("strace")
    if program is None:
        return "strace is not installed: .ci/setup installs it"
    tried = subprocess.run(
        [program, "-f", "--seccomp-bpf", "-e", "trace=fsync", sys.executable, "-c", ""],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()[-200:]}"


def record(command: Sequence[str], log: Path, **options: str | Path) -> list[Call]:
    """Runs a command to its end and returns its calls. Raises CalledProcessError when it fails."""
    strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-xx", "-s", "100000000", "-e", "signal=none"]
    subprocess.run(
        [*strace, "-e", f"trace={TRACED}", "-o", str(log), *command],
        check=True,
        stdout=subprocess.PIPE,
        cwd=options.get("cwd"),
        timeout=300,
    )
    with log.open() as lines:
        return list(calls(lines))


def calls(lines: Iterator[str]) -> Iterator[Call]:
    """The calls of a log that succeeded, in the order they ended."""
    begun: dict[str, tuple[str, str]] = {}
    for line in lines:
        text = line.rstrip("\n")
        unfinished = _UNFINISHED.fullmatch(text)
        if unfinished:
            begun[unfinished[1]] = (unfinished[2], unfinished[3])
            continue
        resumed = _RESUMED.fullmatch(text)
        if resumed:
            name, first = begun.pop(resumed[1])
            text = f"{resumed[1]} {name}({first}{resumed[3]}"
        found = _LINE.fullmatch(text)
        if found is None:
            if "= ?" in text or "+++" in text:
                continue
            raise ValueError(f"strace said something unknown: {text[:200]}")
        if int(found[4], 0) >= 0:
            yield _call(found[2], found[3], int(found[4], 0))


def _call(name: str, arguments: str, result: int) -> Call:
    text, words = [], []
    for argument in _ARGUMENT.finditer(arguments):
        if argument[1] is None:
            words.append(argument[0])
        else:
            text.append(bytes.fromhex(argument[1].replace("\\x", "")))
    return Call(name, tuple(text), tuple(words), result)
