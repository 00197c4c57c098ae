"""The seven datasets of the Neural Latents Benchmark (NLB'21, Pei et al. 2021, https://arxiv.org/abs/2109.04463).

The numbers of neurons and trials are those of the files on DANDI. Windows, lags and fields are those of
``nlb_tools.make_tensors.PARAMS`` (nlb_tools 0.0.4).
"""

from dataclasses import dataclass
from typing import Literal

from nlb_search.data.errors import UnknownDatasetError

FORWARD_MS = 200
"""Length of the forward bins in all datasets: rates are predicted for this long after the trial window."""

BIN_WIDTHS_MS = (5, 20)
"""The two bin widths that the benchmark scores."""

Layout = Literal["maze", "random-target", "bump", "timing"]
"""The task, which determines the columns of the trial table."""


@dataclass(frozen=True)
class Dataset:
    """One dataset of the benchmark.

    ``window_ms`` is the trial window, relative to the time in the trial column ``align_field``. ``lag_ms`` is the delay
    of the behaviour window after the spike window. ``behavior`` is the time series to decode, or None if behaviour is
    stored in columns of the trial table (dmfc_rsg). ``n_train_val`` and ``n_test`` are numbers of trials.

    ``overlap`` is true if a window may extend into the next trial, and ``scored_overlap`` is the same for behaviour
    windows. Trials with equal values in the trial columns ``conditions`` are repeats of one condition. Trial averages
    are computed from spikes smoothed by a Gaussian with a standard deviation of ``smoothing_ms``.
    """

    name: str
    dandi_id: str
    file_stem: str
    layout: Layout
    n_heldin: int
    n_heldout: int
    n_train_val: int
    n_test: int
    align_field: str
    window_ms: tuple[int, int]
    behavior: str | None
    lag_ms: int
    overlap: bool
    scored_overlap: bool
    conditions: tuple[str, ...]
    smoothing_ms: int

    @property
    def window_length_ms(self) -> int:
        return self.window_ms[1] - self.window_ms[0]


def _maze(
    name: str, dandi_id: str, session: str, neurons: tuple[int, int], trials: tuple[int, int], lag: int, smoothing: int
) -> Dataset:
    return Dataset(
        name=name,
        dandi_id=dandi_id,
        file_stem=f"sub-Jenkins_ses-{session}",
        layout="maze",
        n_heldin=neurons[0],
        n_heldout=neurons[1],
        n_train_val=trials[0],
        n_test=trials[1],
        align_field="move_onset_time",
        window_ms=(-250, 450),
        behavior="hand_vel",
        lag_ms=lag,
        overlap=False,
        scored_overlap=False,
        conditions=("trial_type", "trial_version"),
        smoothing_ms=smoothing,
    )


DATASETS = {
    dataset.name: dataset
    for dataset in (
        _maze("mc_maze", "000128", "full", (137, 45), (2295, 574), 100, 70),
        Dataset(
            name="mc_rtt",
            dandi_id="000129",
            file_stem="sub-Indy",
            layout="random-target",
            n_heldin=98,
            n_heldout=32,
            n_train_val=1080,
            n_test=271,
            align_field="start_time",
            window_ms=(0, 600),
            behavior="finger_vel",
            lag_ms=140,
            overlap=True,
            scored_overlap=True,
            conditions=(),
            smoothing_ms=0,
        ),
        Dataset(
            name="area2_bump",
            dandi_id="000127",
            file_stem="sub-Han",
            layout="bump",
            n_heldin=49,
            n_heldout=16,
            n_train_val=364,
            n_test=98,
            align_field="move_onset_time",
            window_ms=(-100, 500),
            behavior="hand_vel",
            lag_ms=-20,
            overlap=False,
            scored_overlap=True,
            conditions=("cond_dir", "ctr_hold_bump"),
            smoothing_ms=40,
        ),
        Dataset(
            name="dmfc_rsg",
            dandi_id="000130",
            file_stem="sub-Haydn",
            layout="timing",
            n_heldin=40,
            n_heldout=14,
            n_train_val=1006,
            n_test=283,
            align_field="go_time",
            window_ms=(-1500, 0),
            behavior=None,
            lag_ms=0,
            overlap=True,
            scored_overlap=False,
            conditions=("is_eye", "theta", "is_short", "ts"),
            smoothing_ms=70,
        ),
        _maze("mc_maze_large", "000138", "large", (122, 40), (500, 100), 120, 50),
        _maze("mc_maze_medium", "000139", "medium", (114, 38), (250, 100), 120, 50),
        _maze("mc_maze_small", "000140", "small", (107, 35), (100, 100), 120, 50),
    )
}


def group_name(dataset: str, bin_ms: int) -> str:
    """Name of a dataset's group in files of submissions and targets: ``mc_rtt`` in 5 ms bins, else ``mc_rtt_20``."""
    return dataset if bin_ms == BIN_WIDTHS_MS[0] else f"{dataset}_{bin_ms}"


def dataset_named(name: str) -> Dataset:
    """Return the dataset with this name. Raises UnknownDatasetError, which lists the valid names, if there is none."""
    if name not in DATASETS:
        raise UnknownDatasetError(f"unknown dataset '{name}': choose one of {', '.join(DATASETS)}")
    return DATASETS[name]
