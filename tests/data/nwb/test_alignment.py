"""Aligned windows equal those of nlb_tools for arbitrary trial times."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from nlb_tools.nwb_interface import NWBDataset
from pynwb import NWBFile

from nlb_search.data.nwb.alignment import around, cut
from tests.helpers.recordings.nlb_reference import quiet_nlb_tools

SESSION_S = 4.0
SECONDS = st.one_of(
    st.integers(-100, 4300).map(lambda ms: ms / 1000),
    st.integers(-20, 860).flatmap(lambda n: st.sampled_from([0, 1e-9, -1e-9, 1e-10, 1e-6]).map(lambda e: n / 200 + e)),
    st.floats(-0.1, 4.3),
)
TRIALS = st.lists(st.tuples(SECONDS, SECONDS | st.just(float("nan")), st.booleans()), min_size=1, max_size=8)


def session(starts: list[float], aligns: list[float]) -> NWBDataset:
    nwb = NWBFile("in memory", "x", datetime(2020, 2, 2, tzinfo=UTC))
    nwb.add_trial_column("go_time", "when")
    for start, align in zip(starts, aligns, strict=True):
        nwb.add_trial(start_time=start, stop_time=start + 0.1, go_time=align)
    nwb.add_unit_column("heldout", "kept back")
    nwb.add_unit(spike_times=[0.5], obs_intervals=[(0.0, SESSION_S)], heldout=False)
    return NWBDataset(nwb)


@settings(max_examples=60)
@given(
    TRIALS,
    st.sampled_from([5, 20]),
    st.sampled_from([(0, 600), (-250, 450), (40, 640), (450, 650)]),
    st.booleans(),
    st.booleans(),
)
def test_windows_match_make_trial_data(trials, bin_ms, span_ms, overlap, ordered):
    starts, aligns, included = (list(column) for column in zip(*(sorted(trials) if ordered else trials), strict=True))
    included = np.array(included)
    with quiet_nlb_tools():
        nwb = session(starts, aligns)
        nwb.resample(bin_ms)
        try:
            data = nwb.make_trial_data(
                align_field="go_time", align_range=span_ms, ignored_trials=~included, allow_overlap=overlap
            )
        except AssertionError:
            data = "bins of one trial are another's too"
        except (ValueError, TypeError):  # No trial is left.
            data = None
    table = {name: nwb.trial_info[name].to_numpy() for name in ("start_time", "go_time")}
    span = around(table["go_time"], span_ms, overlap)
    windows = cut(table, included, span, bin_ms, int(SESSION_S * 1000) // bin_ms)

    if isinstance(data, str):
        assert windows.shared.any()
        return
    assert not windows.shared.any()
    found = {row: (first, n) for row, first, n in zip(windows.rows, windows.first, windows.n_bins, strict=True) if n}
    bin_length = pd.Timedelta(bin_ms, unit="ms")
    expected = {}
    for row, trial in data.groupby("trial_id") if data is not None else ():
        expected[row] = (trial.clock_time.iloc[0] // bin_length, len(trial))
        assert windows.steps[windows.rows == row] == trial.align_time.iloc[0] // bin_length
    assert found == expected
