"""The same tasks on a Ray cluster: for sweeps one machine is too small for.

Ray is imported only here and only when asked for (extra `cluster`). Where `RAY_ADDRESS` or an address names a
cluster, that one is used and left as it is; otherwise a small one is started on this machine and ended again.
Ray's usage statistics are switched off: a search says nothing to anybody.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.research.columns import Columns
from neuratrade.research.farm import FIELDS, Outcome, Task, Work, evaluate

_STORE_BYTES = 100 * 1024 * 1024


class Cluster:
    """A farm of Ray actors, one a processor, each with the bars once.

    Raises UsageError when Ray is not installed or the cluster cannot be reached.
    """

    def __init__(
        self, columns: Mapping[str, Columns], processes: int | None = None, address: str = ""
    ) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray: Any = import_module("ray")
        except ImportError as error:
            raise UsageError("running on a cluster needs Ray; install neuratrade[cluster]") from error
        self._ray = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            _connect(ray, processes, address or os.environ.get("RAY_ADDRESS", ""))
        wanted = max(int(ray.cluster_resources().get("CPU", 1)) if processes is None else processes, 1)
        bars = ray.put(dict(columns))
        worker = ray.remote(num_cpus=1, max_restarts=0)(_Worker)
        self._workers = [worker.remote(bars) for _ in range(wanted)]

    def run(self, work: Work, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """See `Farm`."""
        ray, held = self._ray, self._ray.put(work)
        waiting, running = list(reversed(tasks)), {}
        for worker in self._workers:
            if waiting:
                running[worker.run.remote(held, waiting.pop())] = worker
        while running:
            done, _ = ray.wait(list(running), num_returns=1)
            worker = running.pop(done[0])
            try:
                outcome: Outcome = ray.get(done[0])
            except ray.exceptions.RayActorError as error:
                raise Retryable(
                    "a worker of the cluster ended before its work was done; what was finished is kept: "
                    "run the same again"
                ) from error
            if waiting:
                running[worker.run.remote(held, waiting.pop())] = worker
            yield outcome

    def close(self) -> None:
        """Ends the workers, and the cluster where it was started here."""
        for worker in self._workers:
            self._ray.kill(worker)
        if self._ours:
            self._ray.shutdown()


class _Worker:
    """Holds the bars in one process of the cluster."""

    def __init__(self, columns: Mapping[str, Columns]) -> None:
        # What comes out of Ray's store is read-only, which compiled code knows as another type.
        self._columns = {
            key: Columns(bars.instrument, bars.span_ns, *(np.array(getattr(bars, name)) for name in FIELDS))
            for key, bars in columns.items()
        }

    def run(self, work: Work, task: Task) -> Outcome:
        return evaluate(work, self._columns, task)


def _connect(ray: Any, processes: int | None, address: str) -> None:
    try:
        if address:
            ray.init(address=address, log_to_driver=False)
        else:
            ray.init(
                num_cpus=processes or os.cpu_count(),
                include_dashboard=False,
                object_store_memory=_STORE_BYTES,
                log_to_driver=False,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"at {address}" if address else "on this machine"
        raise UsageError(f"no Ray cluster could be reached {where}: {error}") from error
