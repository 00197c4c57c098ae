"""Synthetic recordings with known rates, generated once, and searches with a time limit.

All files are in the folder ``bench``, which can be deleted. Times are CPU time of the process, so other work on the
machine affects the measurements less.
"""

import logging
import os
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import optuna
import torch

from nlb_search.data.ceiling import read_ceiling
from nlb_search.data.opening import open_recording
from nlb_search.data.recording import Recording
from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.tensors import Counts, Sizes
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.trials.trial_scores import complete_trials
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.urls import parse_url

FOLDER = Path("bench").absolute()
os.environ.setdefault("NLB_SEARCH_CACHE", str(FOLDER / "cache"))
optuna.logging.set_verbosity(optuna.logging.WARNING)
logging.getLogger("nlb_tools").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Synthetic:
    """The parameters of a synthetic recording. The recording is generated when it is first used."""

    dataset: str
    neurons: int
    trials: int
    seed: int = 0
    bin_ms: int = 5
    binary: bool = False

    def __str__(self) -> str:
        kind = ", at most one spike per bin" if self.binary else ""
        return f"{self.dataset}, {self.neurons} neurons, {self.trials} trials, {self.bin_ms} ms bins{kind}"

    @property
    def data(self) -> Path:
        """The folder of the recording, as for ``--data``. Generates the recording if needed."""
        kind = "-binary" if self.binary else ""
        folder = FOLDER / f"{self.dataset}-{self.neurons}-{self.trials}-{self.seed}{kind}"
        if not (folder / self._truth).exists():
            from nlb_search.data.synthesis import SynthesisOptions, synthesize  # takes seconds: not in every process

            synthesize(self.dataset, folder, SynthesisOptions(self.seed, self.trials, self.neurons, self.binary))
        return folder

    @property
    def truth(self) -> Path:
        return self.data / self._truth

    @property
    def _truth(self) -> Path:
        return Path(self.dataset) / f"{self.dataset}_truth.h5"

    @cached_property
    def recording(self) -> Recording:
        return open_recording(self.dataset, self.data, self.bin_ms)

    @property
    def train(self) -> Counts:
        return counts_of(self.recording.train)

    @property
    def val(self) -> Counts:
        return counts_of(self.recording.val)

    @property
    def ceilings(self) -> tuple[float, float]:
        """co-bps of the Bayes observer on val and on test, in 5 ms bins."""
        ceiling = read_ceiling(self.truth)
        return ceiling.co_bps_val, ceiling.co_bps_test

    def true_rates(self, split: str) -> torch.Tensor:
        """Expected counts of a split in spikes per bin, trials x bins x neurons."""
        with h5py.File(self.truth) as file:
            rates = file[f"truth/rates_{split}"][()].astype(np.float64)
        n_trials, n_bins, n_neurons = rates.shape
        factor = self.bin_ms // 5
        return torch.from_numpy(rates.reshape(n_trials, n_bins // factor, factor, n_neurons).sum(axis=2))

    @property
    def test_spikes(self) -> torch.Tensor:
        """Held-out counts of the test trials, which the benchmark does not publish."""
        with h5py.File(self.truth) as file:
            return torch.from_numpy(file[self.recording.group]["eval_spikes_heldout"][()].astype(np.float64))

    def expected_score(self, rates_BTN: torch.Tensor, split: str) -> float:
        """Expected co-bps of rates over spikes drawn from the true rates.

        This score has no sampling noise. All bins of the split must be scored.
        """
        return bits_per_spike(self._heldout(rates_BTN), self._heldout(self.true_rates(split))).item()

    def _heldout(self, rates_BTN: torch.Tensor) -> torch.Tensor:
        return rates_BTN[:, : self.recording.n_window_bins, self.recording.n_heldin :]


class CpuTimeLimit(Stop):
    """Stops a worker after ``seconds`` of CPU time of this process."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end = time.process_time() + seconds

    def is_set(self) -> bool:
        return time.process_time() >= self._end

    def is_urgent(self) -> bool:
        return self.is_set()


class CpuTimes:
    """Converts the wall-clock time at which a trial finished to the CPU time of the process."""

    def __init__(self) -> None:
        self._points = [(time.time(), time.process_time())]
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(0.2)
            self._points.append((time.time(), time.process_time()))

    def at(self, moment: float) -> float:
        """CPU seconds from the start to the wall-clock time ``moment``."""
        times, cpu_seconds = zip(*self._points, strict=True)
        return float(np.interp(moment, times, cpu_seconds) - cpu_seconds[0])


@dataclass(frozen=True)
class SearchResult:
    """A finished search. ``complete`` has the CPU time at the end of each complete trial, and its co-bps."""

    study: OpenStudy
    complete: tuple[tuple[float, float], ...]

    def best_after(self, seconds: float) -> float:
        """co-bps of the best trial completed within ``seconds``; 0, the chance level, if there is none."""
        return max((score for time_s, score in self.complete if time_s <= seconds), default=0.0)


def random_counts(n_trials: int, sizes: Sizes) -> Counts:
    """Random spikes with the mean rate of a recording in 5 ms bins."""
    return Counts(torch.poisson(torch.full((n_trials, sizes.n_bins, sizes.n_neurons), 0.05)).to(torch.uint8), sizes)


def new_locations(data: Path, name: str) -> Locations:
    """Locations with an empty database for a study of the recording in ``data``. Deletes an existing database."""
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.glob(f"{name}.db*"):
        file.unlink()
    return Locations(parse_url(f"sqlite:///{FOLDER / name}.db"), FOLDER / "artifacts" / name, data)


def search_for(seconds: float, data: Path, name: str, request: StudyRequest) -> SearchResult:
    """Search a new study of the recording in ``data`` with one worker in this process for ``seconds`` of CPU time."""
    torch.set_num_threads(1)
    locations = new_locations(data, name)
    cpu_times = CpuTimes()
    study = create_or_open(locations, name, request)
    work(study, CpuTimeLimit(seconds))
    complete = (
        (cpu_times.at(trial.datetime_complete.timestamp()), trial.value)
        for trial in complete_trials(study.study)
        if trial.datetime_complete is not None and trial.value is not None
    )
    return SearchResult(study, tuple(complete))
