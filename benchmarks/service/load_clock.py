"""Timing for ``database_load``: the time of each call, split into waiting for the server and computing."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import BaseStorage
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

import nlb_search.storage.claims.heartbeat

SAMPLING, HEARTBEAT = "sampling", "heartbeat"


@dataclass(frozen=True)
class Call:
    """One call of a worker: total seconds, seconds waiting for the server, seconds in which a sampler computed without
    accessing the storage, and the number of SQL statements.
    """

    kind: str
    seconds: float
    waiting: float
    computing: float
    statements: int


class _Counts(threading.local):
    """Totals of this thread so far."""

    waiting = 0.0
    in_storage = 0.0
    statements = 0
    depth = 0


_counts = _Counts()


def _waiting(method: Callable[..., Any], statements: int) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return method(*args, **kwargs)
        finally:
            _counts.waiting += time.perf_counter() - began
            _counts.statements += statements

    return timed


def _in_storage(method: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        _counts.depth += 1
        try:
            return method(*args, **kwargs)
        finally:
            _counts.depth -= 1
            if not _counts.depth:
                _counts.in_storage += time.perf_counter() - began

    return timed


def time_calls(study: optuna.Study) -> None:
    """Time all calls of the database driver in this process and of the storage of the study."""
    for name in ("connect", "do_ping", "do_commit", "do_rollback", "do_execute", "do_executemany"):
        setattr(PGDialect_psycopg, name, _waiting(getattr(PGDialect_psycopg, name), int(name.startswith("do_exec"))))
    for name in vars(BaseStorage):
        if not name.startswith("_"):
            setattr(study._storage, name, _in_storage(getattr(study._storage, name)))


class CallClock:
    """Records the calls of this process that begin between ``begin`` and ``end``, and the CPU time in between."""

    def __init__(self, begin: float, end: float) -> None:
        self._begin, self._end = begin, end
        self._cpu: list[float] = []
        for moment in (begin, end):
            threading.Thread(target=self._note_cpu, args=(moment,), daemon=True).start()
        self.calls: list[Call] = []

    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    def cpu_seconds(self) -> float:
        return self._cpu[1] - self._cpu[0]

    def _note_cpu(self, moment: float) -> None:
        time.sleep(max(0.0, moment - time.monotonic()))
        self._cpu.append(time.process_time())

    @contextmanager
    def measure(self, kind: str) -> Iterator[None]:
        """Record the block as one call."""
        now, began = time.monotonic(), time.perf_counter()
        waiting, in_storage, statements = _counts.waiting, _counts.in_storage, _counts.statements
        yield
        seconds = time.perf_counter() - began
        if self._begin <= now < self._end:
            computing = seconds - (_counts.in_storage - in_storage) if kind == SAMPLING else 0.0
            self.calls.append(
                Call(kind, seconds, _counts.waiting - waiting, computing, _counts.statements - statements)
            )

    def time_heartbeats(self) -> None:
        """Record the heartbeats of this process too."""
        beat = nlb_search.storage.claims.heartbeat.beat

        def timed(study: optuna.Study, trial_id: int) -> None:
            with self.measure(HEARTBEAT):
                beat(study, trial_id)

        nlb_search.storage.claims.heartbeat.beat = timed
