"""One exchange of ccxt without the hundred others: the installed package, unmodified, not run as a whole.

`import ccxt` runs a file that imports every exchange. Here the three packages of ccxt are put in place
without running that file: what it would have imported is read from its text, and fetched when somebody asks
for it. Who imported ccxt as a whole before keeps what they have.
"""

import ast
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from neuratrade.core.model.errors import UsageError

REST, STREAMS = "ccxt.async_support", "ccxt.pro"
PACKAGES = ("ccxt", REST, STREAMS)
MOST_HINTS = 3


def exchange_class(name: str, *, streams: bool = False) -> Any:
    """The class of an exchange. streams: the one that knows websockets too.

    Raises UsageError where ccxt is not installed, or knows no exchange of that name.
    """
    prepare()
    package = STREAMS if streams else REST
    if name not in exchange_names(streams=streams):
        raise UsageError(_unknown(name, streams=streams))
    return getattr(importlib.import_module(f"{package}.{name}"), name)


def exchange_names(*, streams: bool = False) -> frozenset[str]:
    """Exchanges this ccxt knows. Raises UsageError where it is not installed."""
    prepare()
    package = STREAMS if streams else REST
    source = sys.modules[package].__spec__
    offered = _imports(source) if source is not None else {}
    return frozenset(name for name, (module, _) in offered.items() if module == f"{package}.{name}")


def prepare() -> None:
    """Puts ccxt's packages in place. Raises UsageError where ccxt is not installed."""
    for name in PACKAGES:
        if name in sys.modules:
            continue
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise UsageError(
                "ccxt is not installed, so no exchange can be reached through it: "
                "install the extra with `pip install 'neuratrade[ccxt]'`"
            )
        package = _Unrun(name)
        package.offer(spec)
        sys.modules[name] = package
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, package)


class _Unrun(ModuleType):
    """A package in whose place nothing was run: its names are looked up when they are asked for."""

    def offer(self, spec: ModuleSpec) -> None:
        """Takes the place of the package `spec` describes."""
        self.__spec__ = spec
        self.__loader__ = spec.loader
        self.__file__ = spec.origin
        self.__path__ = list(spec.submodule_search_locations or ())
        self.__package__ = self.__name__
        self._offered = _imports(spec)
        self.__version__ = _version(spec)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") or name not in self._offered:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        module, attribute = self._offered[name]
        value = getattr(importlib.import_module(module), attribute)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: object) -> None:
        # The import system binds `binance.py` to the name that the package gives to the class in it.
        of_exchange = isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}"
        super().__setattr__(name, getattr(value, name, value) if of_exchange else value)


def _imports(spec: ModuleSpec) -> Mapping[str, tuple[str, str]]:
    """What a package's own file imports by name: (module, name there), by the name here."""
    found: dict[str, tuple[str, str]] = {}
    for statement in _tree(spec).body:
        if isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            for alias in statement.names:
                found[alias.asname or alias.name] = (statement.module, alias.name)
    return found


def _version(spec: ModuleSpec) -> str:
    for statement in _tree(spec).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            if "__version__" in names:
                return str(statement.value.value)
    return "unknown"


def _tree(spec: ModuleSpec) -> ast.Module:
    origin = spec.origin
    if origin is None:
        return ast.Module(body=[], type_ignores=[])
    if origin not in _trees:
        _trees[origin] = ast.parse(Path(origin).read_text(encoding="utf-8"))
    return _trees[origin]


_trees: dict[str, ast.Module] = {}


def _unknown(name: str, *, streams: bool) -> str:
    known = exchange_names(streams=streams)
    near = difflib.get_close_matches(name.lower(), known, n=MOST_HINTS, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it knows {len(known)} others"
    if streams and name in exchange_names():
        return f"ccxt has no private stream for {name}, so no desk can be run there; {hint}"
    return f"ccxt knows no exchange called {name!r}: {hint}"
