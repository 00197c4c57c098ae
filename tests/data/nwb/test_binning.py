"""Spikes at the edges of bins and of observed time are counted as by nlb_tools, or rejected."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data.dataset_files import read_contents, train_columns
from nlb_search.data.datasets import dataset_named
from nlb_search.data.errors import DataError
from nlb_search.data.nwb.binning import counts_in
from nlb_search.data.nwb.session import Session, read_session
from tests.helpers.recordings.nlb_reference import assert_counts_equal, loaded, quiet_nlb_tools

MC_RTT = dataset_named("mc_rtt")
NOISE_S = np.array([0, 1e-9, -1e-9, 4e-10, -4e-10, 6e-10, -6e-10, 1e-12, -1e-12, 0.001 - 1e-9, 0.001 - 1e-10])


def session_of(path: Path) -> Session:
    return read_session(read_contents(path), train_columns(MC_RTT), MC_RTT.behavior)


def assert_every_bin_is_as_in_nlb_tools(path: Path, bin_ms: int) -> None:
    session = session_of(path)
    every = np.arange(session.n_bins(bin_ms))[None]
    (counts,) = counts_in(session, (session.heldin, session.heldout), [every], bin_ms)
    with quiet_nlb_tools():
        data = loaded(path, "mc_rtt", bin_ms).data
    assert_counts_equal(counts[0], data[["spikes", "heldout_spikes"]].to_numpy())


def set_spikes(path: Path, times: np.ndarray) -> None:
    """Replaces the spikes of all units by unsorted spikes at some of these times."""
    with h5py.File(path, "r+") as file:
        spikes = file["units/spike_times"]
        spikes[...] = np.random.default_rng(0).choice(times, len(spikes))


@pytest.mark.parametrize("bin_ms", [5, 20])
def test_unsorted_spikes_and_spikes_on_bin_edges_match_nlb_tools(mine, bin_ms):
    path = mine("mc_rtt")
    set_spikes(path, np.append(0.0, (np.arange(1, 500)[:, None] / 200 + NOISE_S).ravel()))
    assert_every_bin_is_as_in_nlb_tools(path, bin_ms)


@pytest.mark.parametrize("bin_ms", [5, 20])
@pytest.mark.parametrize("lost_s", [0.0004, 0.001, 0.0013, 0.004, 0.0191, 0.3])
def test_counts_follow_observed_time(mine, bin_ms, lost_s):
    path = mine("mc_rtt")
    with h5py.File(path, "r+") as file:
        spans = file["units/obs_intervals"][()]
        assert (spans[:, 0] > 0).any()
        file["units/obs_intervals"][...] = spans + np.where(spans[:, :1] > 0, [[lost_s, 0]], 0)
    set_spikes(path, np.random.default_rng(1).uniform(0, 20, 40_000))
    assert_every_bin_is_as_in_nlb_tools(path, bin_ms)


def test_last_bin_may_be_incomplete(mine):
    path = mine("mc_rtt")
    with h5py.File(path, "r+") as file:
        ends = file["units/obs_intervals_index"][()]
        last_s = file["units/obs_intervals"][ends[0] - 1, 1]
        file["units/obs_intervals"][ends - 1, 1] = last_s + 0.0033
        file["units/obs_intervals"][0] = [0.0, last_s + 0.0033]
    set_spikes(path, np.linspace(last_s - 0.1, last_s + 0.0029, 1000))
    session = session_of(path)
    assert session.length_ms % 5 == 3
    assert_every_bin_is_as_in_nlb_tools(path, 5)


def test_maximum_count_per_bin(mine):
    path = mine("mc_rtt")
    with h5py.File(path, "r+") as file:
        file["units/spike_times"][...] = 15.0
        ends = file["units/spike_times_index"][()]
        unit = file["units/id"][0]
        times = np.linspace(0.001, 15, ends[0])
        times[:254] = 2.0021
        file["units/spike_times"][: ends[0]] = times
        file["units/spike_times_index"][1:] = ends[0]
    session = session_of(path)
    (counts,) = counts_in(session, (session.heldin, session.heldout), [np.array([[400]])], 5)
    assert counts.max() == 254
    with h5py.File(path, "r+") as file:
        file["units/spike_times"][254] = 2.0022
    session = session_of(path)
    with pytest.raises(DataError, match=f"unit {unit} has 255 spikes in one bin, but at most 254"):
        counts_in(session, (session.heldin, session.heldout), [np.array([[400]])], 5)
