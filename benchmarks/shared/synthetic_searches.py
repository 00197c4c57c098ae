"""What the benchmarks share: synthetic recordings with known rates, made once, and searches that are cut by a clock.

Everything lies in the folder ``bench``, which may be deleted. Clocks count the seconds that a process really computed,
so that figures do not suffer from what else the machine does.
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

from nlb_search.data.opening import open_recording
from nlb_search.data.recording import Recording
from nlb_search.data.synthesis import SynthesisOptions, read_ceiling, synthesize
from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.tensors import Counts, Sizes
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.study.creation import StudyRequest, create_or_open
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.study.status import complete_trials
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.urls import parse_url

FOLDER = Path("bench").absolute()
os.environ.setdefault("NLB_SEARCH_CACHE", str(FOLDER / "cache"))
optuna.logging.set_verbosity(optuna.logging.WARNING)
logging.getLogger("nlb_tools").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Synthetic:
    """A synthetic recording, by what it is made from."""

    dataset: str
    neurons: int
    trials: int
    seed: int = 0
    bin_ms: int = 5
    binary: bool = False

    def __str__(self) -> str:
        kind = ", at most one spike a bin" if self.binary else ""
        return f"{self.dataset}, {self.neurons} neurons, {self.trials} trials, {self.bin_ms} ms bins{kind}"

    @property
    def data(self) -> Path:
        """The folder that ``--data`` would name."""
        kind = "-binary" if self.binary else ""
        return FOLDER / f"{self.dataset}-{self.neurons}-{self.trials}-{self.seed}{kind}"

    @property
    def truth(self) -> Path:
        return self.data / self.dataset / f"{self.dataset}_truth.h5"

    @cached_property
    def recording(self) -> Recording:
        if not self.truth.exists():
            options = SynthesisOptions(self.seed, self.trials, self.neurons, self.binary)
            synthesize(self.dataset, self.data, options)
        return open_recording(self.dataset, self.data, self.bin_ms)

    @property
    def train(self) -> Counts:
        return counts_of(self.recording.train)

    @property
    def val(self) -> Counts:
        return counts_of(self.recording.val)

    @property
    def ceilings(self) -> tuple[float, float]:
        """co-bps of the Bayes observer on val and on test, in bins of 5 ms."""
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
        """Held-out counts of the test trials, which the benchmark keeps to itself."""
        with h5py.File(self.truth) as file:
            return torch.from_numpy(file[self.recording.group]["eval_spikes_heldout"][()].astype(np.float64))

    def expected_score(self, rates_BTN: torch.Tensor, split: str) -> float:
        """co-bps that rates would have on average over the spikes that the true rates could have given.

        Free of the noise of one draw of spikes; for splits whose every bin is scored.
        """
        return bits_per_spike(self._heldout(rates_BTN), self._heldout(self.true_rates(split))).item()

    def _heldout(self, rates_BTN: torch.Tensor) -> torch.Tensor:
        return rates_BTN[:, : self.recording.n_window_bins, self.recording.n_heldin :]


class Clock(Stop):
    """Set once this process has computed for so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end = time.process_time() + seconds

    def is_set(self) -> bool:
        return time.process_time() >= self._end

    def is_urgent(self) -> bool:
        return self.is_set()


class CpuTimes:
    """What the process had computed by when: trials know only the time of day at which they finished."""

    def __init__(self) -> None:
        self._points = [(time.time(), time.process_time())]
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(0.2)
            self._points.append((time.time(), time.process_time()))

    def at(self, moment: float) -> float:
        """Seconds that were computed since the beginning, at a time of day."""
        times, computed = zip(*self._points, strict=True)
        return float(np.interp(moment, times, computed)) - computed[0]


@dataclass(frozen=True)
class Searched:
    """A study that was searched, and when each complete trial finished: seconds of computing, and its co-bps."""

    study: OpenStudy
    complete: tuple[tuple[float, float], ...]

    def best_after(self, seconds: float) -> float:
        """co-bps of the best complete trial by then; 0, the chance level, before there was one."""
        return max((score for at, score in self.complete if at <= seconds), default=0.0)


def random_counts(n_trials: int, sizes: Sizes) -> Counts:
    """Spikes that mean nothing, at the rates of a recording in bins of 5 ms."""
    return Counts(torch.poisson(torch.full((n_trials, sizes.n_bins, sizes.n_neurons), 0.05)).to(torch.uint8), sizes)


def new_place(synthetic: Synthetic, name: str) -> Locations:
    """A place for studies of one recording, which is made if it is not there; nothing is left of an earlier one."""
    synthetic.recording  # noqa: B018
    FOLDER.mkdir(exist_ok=True)
    for left_over in FOLDER.glob(f"{name}.db*"):
        left_over.unlink()
    return Locations(parse_url(f"sqlite:///{FOLDER / name}.db"), FOLDER / "artifacts" / name, synthetic.data)


def search_for(seconds: float, synthetic: Synthetic, name: str, request: StudyRequest) -> Searched:
    """Search a new study with one worker in this process for so many seconds of computing."""
    torch.set_num_threads(1)
    locations = new_place(synthetic, name)
    clock = CpuTimes()
    study = create_or_open(locations, name, request)
    work(study, Clock(seconds))
    complete = (trial for trial in complete_trials(study.study) if trial.datetime_complete and trial.value is not None)
    return Searched(study, tuple((clock.at(trial.datetime_complete.timestamp()), trial.value) for trial in complete))
