"""Columns of the trial table are read as nlb_tools reads them, with pandas."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlb_search.data.errors import DataError
from nlb_search.data.nwb.trial_table import read_trials

SECONDS = st.one_of(
    st.floats(-8.9e9, 8.9e9),
    st.integers(-(10**9), 10**9).map(lambda ms: ms / 1000),
    st.integers(-(10**12), 10**12).map(lambda ns: ns / 1e9),
    st.just(float("nan")),
)


def table(path: Path, **columns: object) -> h5py.Group:
    group = h5py.File(path, "w").create_group("trials")
    for name, values in columns.items():
        group[name] = values
    return group


@given(st.lists(SECONDS, min_size=1, max_size=20))
def test_times_equal_those_of_pandas(tmp_path_factory, seconds):
    trials = table(tmp_path_factory.mktemp("times") / "file.h5", start_time=seconds)
    with trials.file:
        times = read_trials(Path("a.nwb"), trials, ["start_time"])["start_time"]
    np.testing.assert_array_equal(times, pd.to_timedelta(seconds, unit="s").to_numpy())


@pytest.mark.parametrize("dtype", ["float16", "float32", "int64", "uint8"])
def test_times_of_other_types_equal_those_of_pandas(tmp_path, dtype):
    seconds = np.linspace(0, 200, 33).astype(dtype)
    trials = table(tmp_path / "file.h5", start_time=seconds)
    with trials.file:
        times = read_trials(Path("a.nwb"), trials, ["start_time"])["start_time"]
    np.testing.assert_array_equal(times, pd.to_timedelta(seconds, unit="s").to_numpy())


@pytest.mark.parametrize("seconds", [float("inf"), -float("inf"), 1e10, -1e10, 1e300, -(2**63)])
def test_impossible_time_is_named(tmp_path, seconds):
    trials = table(tmp_path / "file.h5", start_time=[0.5, 1.5], go_time=np.array([1, seconds], dtype=type(seconds)))
    with trials.file, pytest.raises(DataError, match=r"'go_time' is .* in row 1 \(from 0\): write the time in sec"):
        read_trials(Path("a.nwb"), trials, ["go_time", "start_time"])


@pytest.mark.parametrize(
    ("values", "kind"),
    [([True, False], "values of type bool"), (["0.5", "1.5"], "text"), ([0.5j, 1.5j], "values of type complex128")],
)
def test_times_must_be_numbers(tmp_path, values, kind):
    trials = table(tmp_path / "file.h5", start_time=values)
    with trials.file, pytest.raises(DataError, match=f"'start_time' has {kind}: write the time in seconds"):
        read_trials(Path("a.nwb"), trials, ["start_time"])


def test_column_of_another_length_is_named(tmp_path):
    trials = table(tmp_path / "file.h5", start_time=[0.5, 1.5], split=["train"])
    with trials.file, pytest.raises(DataError, match=r"trial column 'split' has the shape \(1,\)"):
        read_trials(Path("a.nwb"), trials, ["split", "start_time"])


def test_preparing_needs_no_pandas():
    """Importing it takes 0.2 s, as long as preparing a small recording."""
    code = (
        "import sys, nlb_search.data.nlb.tensors, nlb_search.data.own.reading; "
        "print(*{'pandas', 'pynwb', 'scipy'} & sys.modules.keys())"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, text=True).stdout == "\n"
