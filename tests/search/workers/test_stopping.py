"""A worker exits when its launcher has died, or when it gets a signal, also as it starts."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from nlb_search.search.worker_protocol import LAUNCHER_VARIABLE
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.errors import StorageError
from tests.helpers.processes.command import call

SIGNALLED_AS_IT_STARTS = """
import builtins, os, signal, sys
import_module = builtins.__import__

def with_signal(name, *more):
    if name == "torch" and "torch" not in sys.modules:
        os.kill(os.getpid(), signal.SIGTERM)
        builtins.__import__ = import_module
    return import_module(name, *more)

builtins.__import__ = with_signal
from nlb_search.__main__ import main
main()
"""
"""A worker that gets a signal as it begins to import torch."""


def test_worker_without_launcher_does_not_wait_for_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> None:
        busy = sqlite3.OperationalError("database is locked")
        busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise OperationalError("SELECT 1", {}, busy)

    stop = Stop()
    monkeypatch.setenv(LAUNCHER_VARIABLE, str(os.getpid()))  # no process is its own parent
    with pytest.raises(StorageError, match="still unreachable"):
        DatabaseRetry(stop).call(ask)
    assert stop.is_set()


def test_signal_to_a_starting_worker_is_not_lost(recordings: Path, tmp_path: Path) -> None:
    options = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "1", "--workers", "0", "--data", recordings)
    assert call("launch", "study", *options, cwd=tmp_path).code == 0
    command = [sys.executable, "-P", "-c", SIGNALLED_AS_IT_STARTS, "worker", "study", "--data", str(recordings)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
    assert call("status", "study", "--json", cwd=tmp_path).json["states"]["running"] == 0
