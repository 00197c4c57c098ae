"""Targets of the test phase, made from two files, equal those of nlb_tools."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from nlb_tools.make_tensors import make_eval_target_tensors
from nlb_tools.nwb_interface import NWBDataset

from nlb_search.data.dataset_files import RecordingFiles
from nlb_search.data.datasets import DATASETS
from nlb_search.data.synthesis.truth import benchmark_targets
from tests.helpers.recordings import foreign_nwb
from tests.helpers.recordings.nlb_reference import assert_targets_equal, quiet_nlb_tools


@pytest.mark.parametrize("name", foreign_nwb.LAYOUTS)
def test_targets_of_two_sessions_match_nlb_tools(tmp_path: Path, name: str) -> None:
    # nlb_tools joins the files of a folder in the order of their names.
    foreign_nwb.write_recording(tmp_path, name, trials=16)
    train, test = tmp_path / "session-1.nwb", tmp_path / "session-2.nwb"
    (tmp_path / "my-train-set.nwb").rename(train)
    shutil.copy(train, test)
    with h5py.File(test, "r+") as file:
        split = file["intervals/trials/split"]
        split[...] = np.where(split[()] == b"none", b"none", b"test")

    targets = benchmark_targets(RecordingFiles(train, test), DATASETS[name])

    for bin_ms in (5, 20):
        with quiet_nlb_tools():
            nwb = NWBDataset(str(tmp_path), prefix="session-", skip_fields=["pupil", "eye_pos"])
            nwb.resample(bin_ms)
            ((group, expected),) = make_eval_target_tensors(
                nwb, name, ["train", "val"], "test", save_file=False, include_psth=True
            ).items()
        assert_targets_equal(targets[group], expected)
