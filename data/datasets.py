"""The seven recordings of the Neural Latents Benchmark (NLB'21), as one table.

Sizes are those of the files that DANDI serves; windows, lags and fields are those of
``nlb_tools.make_tensors.PARAMS`` (nlb_tools 0.0.4), and the benchmark's paper (Pei et al. 2021,
https://arxiv.org/abs/2109.04463) describes each.
"""

from dataclasses import dataclass
from typing import Literal

from nlb_search.data.errors import DataError

FORWARD_MS = 200
"""Every dataset is predicted for 200 ms past its window: the forward bins."""

BIN_WIDTHS_MS = (5, 20)
"""The two bin widths that the benchmark scores."""

Layout = Literal["maze", "random-target", "bump", "timing"]
"""What the animal did, and so which columns the trial table has."""


@dataclass(frozen=True)
class Dataset:
    """One dataset of the benchmark.

    ``window_ms`` is the span of the trial window around ``align_field``; ``lag_ms`` is how much later than
    the spikes behaviour is read. ``behavior`` is the time series that is decoded, or None where behaviour is
    columns of the trial table (dmfc_rsg). ``n_train_val`` and ``n_test`` count trials.

    ``overlap`` tells whether a window may reach into the next trial, and ``scored_overlap`` whether the window in which
    behaviour is read may. Trials that agree in the columns ``conditions`` of the trial table repeat one another: their
    average is taken of spikes smoothed by a Gaussian with a standard deviation of ``smoothing_ms``.
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
    """The name under which submissions and targets hold a dataset in bins of ``bin_ms``: ``mc_rtt``, ``mc_rtt_20``."""
    return dataset if bin_ms == BIN_WIDTHS_MS[0] else f"{dataset}_{bin_ms}"


def dataset_named(name: str) -> Dataset:
    """The dataset of that name. Raises DataError, which lists the names there are, for any other."""
    if name not in DATASETS:
        raise DataError(f"unknown dataset '{name}': choose one of {', '.join(DATASETS)}")
    return DATASETS[name]
