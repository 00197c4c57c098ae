"""Small synthetic recordings of every layout, each made once."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nlb_search.data.synthesis import SynthesisOptions, synthesize

SMALL = {
    "mc_rtt": SynthesisOptions(seed=1, n_trials=80, n_neurons=12),
    "mc_maze_small": SynthesisOptions(seed=1, n_trials=40, n_neurons=12),
    "area2_bump": SynthesisOptions(seed=1, n_trials=60, n_neurons=12),
    "dmfc_rsg": SynthesisOptions(seed=1, n_trials=130, n_neurons=12),
}


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a dataset's small recording."""
    out = tmp_path_factory.mktemp("synthetic")

    def made(dataset_name: str) -> Path:
        folder = out / dataset_name
        return folder if folder.exists() else synthesize(dataset_name, out, SMALL[dataset_name])

    return made


@pytest.fixture(scope="session")
def binary_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small mc_rtt recording with at most one spike a bin."""
    options = replace(SMALL["mc_rtt"], binary=True)
    return synthesize("mc_rtt", tmp_path_factory.mktemp("binary"), options)


@pytest.fixture(autouse=True)
def _quiet_nlb_tools() -> None:
    """nlb_tools warns about overlapping windows and empty conditions, which these recordings have."""
    logging.getLogger("nlb_tools").setLevel(logging.ERROR)
