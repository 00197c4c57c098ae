"""Windows, conditions and lags of the benchmark equal those of nlb_tools."""

import numpy as np
import pandas as pd
import pytest
from nlb_tools.make_tensors import PARAMS, _prep_jitter

from nlb_search.data.datasets import BIN_WIDTHS_MS, DATASETS, FORWARD_MS
from nlb_search.data.nlb.windows import jitter_ms


@pytest.mark.parametrize("name", DATASETS)
def test_datasets_match_nlb_tools(name):
    dataset, params = DATASETS[name], PARAMS[name]
    assert PARAMS.keys() == DATASETS.keys()
    assert dataset.align_field == params["make_params"]["align_field"]
    assert dataset.window_ms == params["make_params"]["align_range"]
    assert dataset.overlap == params["make_params"].get("allow_overlap", False)
    assert dataset.scored_overlap == params["eval_make_params"].get("allow_overlap", False)
    assert dataset.lag_ms == params.get("lag", 0)
    assert params["fp_len"] == FORWARD_MS
    averages = params.get("psth_params", {"cond_fields": [], "kern_sd": 0, "make_params": {}})
    assert list(dataset.conditions) == averages["cond_fields"]
    assert dataset.smoothing_ms == averages["kern_sd"]
    if dataset.layout == "timing":
        produced = {"start_field": "set_time", "end_field": "go_time", "align_field": "go_time"}
        assert params["eval_make_params"] == averages["make_params"] == produced
        assert params["eval_tensor_params"] == {"seg_len": dataset.window_length_ms, "pad": "front"}
        assert (averages["seg_len"], averages["pad"]) == (dataset.window_length_ms, "front")
    else:
        assert dataset.behavior == params["behavior_field"]
        window = {"align_field": dataset.align_field, "align_range": dataset.window_ms}
        assert averages["make_params"] in ({}, window)
        assert params["eval_make_params"].items() >= window.items()
    assert ("decode_masks" in params) == (dataset.layout == "bump")
    assert ("jitter" in params) == ("behavior_mask" in params) == (dataset.layout == "timing")


@pytest.mark.parametrize("bin_ms", BIN_WIDTHS_MS)
def test_dmfc_rsg_window_jitter_matches_nlb_tools(bin_ms):
    rng = np.random.default_rng(5)
    trials = pd.DataFrame({"split": rng.choice(["train", "val", "test"], 200), "tp": rng.uniform(200, 1800, 200)})
    trials.loc[17, "tp"] = np.nan

    class Recording:
        trial_info = trials
        bin_width = bin_ms

    for selected in (trials.split == "train", trials.split != "test", trials.split != "none"):
        np.random.seed(0)
        expected = _prep_jitter(Recording, selected, PARAMS["dmfc_rsg"]["jitter"])
        table = {name: trials[name].to_numpy() for name in trials}
        drawn = jitter_ms(DATASETS["dmfc_rsg"], table, selected.to_numpy(), bin_ms)
        np.testing.assert_array_equal(drawn, expected)
        assert len(np.unique(drawn)) > 10
