"""How many minutes a second the whole desk lives through, bar by bar, with nothing skipped.

The figure that counts is the reference work of backtests (`reference`): a year of minutes, one RSI rule with
a bracket. Gate, ledger, brackets, paper venue and marks are on, every fact is folded and kept in memory. How
our work differs from the reference is in `reference_desk`; that it is the same work is not said but checked:
the desk must close the trades of a plain loop, with its profit to the cent, or there is no figure.
nautilus_trader stands beside it where it is installed (`make bench-peers`).

The other rows live through the shipped bars, read before the clock starts: one simple strategy with few
trades, and all strategies with signed approvals and the sender's checks, as a paper run has them. The journal
is measured elsewhere.
"""

import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

import neuratrade
from benchmarks import reference, reference_desk
from benchmarks.backtest import contenders, processes
from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine
from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.model.account import Account
from neuratrade.core.model.approval import Signer
from neuratrade.core.model.facts import RunStarted
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar
from neuratrade.core.strategies.dna import AssetDna, Dna
from neuratrade.core.strategies.registry import KINDS, build_strategies, default_settings
from neuratrade.feeds.dataset import open_dataset
from neuratrade.feeds.replay import ReplayFeed
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.sender import Sender
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.store.keys import Ed25519Signer, verify
from neuratrade.venues.paper.costs import PaperCosts
from neuratrade.venues.paper.exchange import PaperExchange

SHIPPED = Path(neuratrade.__file__).parent / "data" / "shipped"
ROUNDS = 3
CENT = 0.01
SIMPLE = ("ema_cross",)
ACCOUNT = Account("paper", "bench", "USDT")


def recorded() -> tuple[dict[str, Instrument], list[list[Bar]]]:
    """The instruments of the shipped data, and all of its bars, slice by slice."""
    feed = ReplayFeed([open_dataset(SHIPPED)])
    slices = [piece for piece in feed.slices() if isinstance(piece, list)]
    return {item.key: item for item in feed.instruments}, slices


def lived(
    instruments: dict[str, Instrument],
    slices: Sequence[list[Bar]],
    names: Sequence[str],
    signer: Ed25519Signer | None = None,
) -> float:
    """Bars a second of one run over `slices` with the strategies of these names."""
    assets = {item.asset: AssetDna(item.asset, tuple(names), 240) for item in instruments.values()}
    dna = Dna(1, 0, assets, {name: default_settings(name) for name in names})
    signs: Signer | None = signer
    config = EngineConfig("paper", "bench", instruments, build_strategies(dna), dna, NativeProvider(), signs)
    engine = Engine(config)
    exchange = PaperExchange(ACCOUNT, instruments, Decimal(10_000), PaperCosts())
    sender = None if signer is None else Sender(verify)
    desk = SimulatedDesk(engine, exchange, MemoryRecorder(), sender)
    desk.take(_started(slices[0][0].open_ns, instruments, signer))
    began = perf_counter()
    for together in slices:
        desk.bars(together)
    return desk.bars_seen / (perf_counter() - began)


def _started(at_ns: int, instruments: dict[str, Instrument], signer: Ed25519Signer | None) -> RunStarted:
    key_id, public_key = ("", "") if signer is None else (signer.key_id, signer.public_key)
    known = tuple(instruments.values())
    cash = Decimal(10_000)
    return RunStarted(
        at_ns, "bench", "paper", ACCOUNT, cash, "shipped", True, known, {}, {}, key_id, public_key, "0"
    )


def _reference_rows() -> list[dict[str, object]]:
    made = reference.series()
    reference_desk.warmed_up(made)
    outcomes = [reference_desk.live_through(made) for _ in range(ROUNDS)]
    ours, plain = outcomes[0].tally, reference.plain_loop(made, reference_desk.WARM_BARS)
    if ours.trades != plain.trades or abs(ours.pnl - plain.pnl) >= CENT:
        raise RuntimeError(f"the desk made {ours} of the reference work, a plain loop {plain}")
    peer = _in_nautilus(made)
    beside = None if peer.problem else round(reference.BARS / peer.found["run_s"])
    row = {
        "name": f"reference work, {ours.trades:,} trades as in a plain loop",
        "value": round(median(outcome.bars_per_second for outcome in outcomes)),
        "unit": "bars/s",
        "floor": beside,
        "target": 40_000,
        "better": "higher",
    }
    said = peer.problem or f"{peer.found['version']}, {peer.found['trades']:,} trades"
    name = f"reference work in nautilus_trader ({said})"
    return [row, {"name": name, "value": beside, "unit": "bars/s", "target": None, "better": "higher"}]


def _in_nautilus(made: reference.Series) -> processes.Answer:
    peer = next(item for item in contenders.peers() if item.name == "nautilus_trader")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "reference.npz"
        np.savez(data, **made._asdict())
        environment = processes.peer_environment()
        return processes.run(peer.python, peer.module, [str(data), "0"], environment=environment)


def run() -> dict[str, object]:
    """Rows {name, value, unit, target, better}; the value is the median of a few rounds."""
    instruments, slices = recorded()
    lived(instruments, slices[:1000], tuple(KINDS))
    measured = (
        ("one simple strategy, bar by bar", SIMPLE, None, None),
        ("one simple strategy, signer and sender", SIMPLE, Ed25519Signer(), None),
        ("all strategies, bar by bar", tuple(KINDS), None, None),
        ("all strategies, signer and sender", tuple(KINDS), Ed25519Signer(), None),
    )
    rows = _reference_rows()
    for name, names, signer, target in measured:
        speeds = [lived(instruments, slices, names, signer) for _ in range(ROUNDS)]
        value = round(median(speeds))
        row = {"name": name, "value": value, "unit": "bars/s", "target": target, "better": "higher"}
        rows.append(row)
    return {"rows": rows}
