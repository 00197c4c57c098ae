"""Recordings with known test spikes, real and synthetic, as files that the service opens."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch

from benchmarks.shared.hard_dynamics import HARD_RECORDINGS, HardRecording
from benchmarks.shared.synthetic_searches import FOLDER, Synthetic
from nlb_search.data import from_arrays
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings, read_settings
from nlb_search.data.recording import Recording
from nlb_search.models.tensors import UNSEEN, Counts
from nlb_search.search.recording_tensors import sizes_of

BENCHMARK_RECORDINGS = (
    Synthetic("mc_rtt", neurons=50, trials=250, bin_ms=20),
    Synthetic("mc_maze_small", neurons=50, trials=200, bin_ms=20),
    Synthetic("area2_bump", neurons=40, trials=240, bin_ms=20),
)


@dataclass(frozen=True)
class ScoredRecording:
    """A recording with test trials whose held-out spikes are known, read in bins of ``bin_ms``.

    ``name`` is unique in a table. ``targets`` is a file with the test spikes, or None if the recording has them itself.
    """

    name: str
    dataset: str
    data: Path
    bin_ms: int
    settings: RecordingSettings | None = None
    targets: Path | None = None

    def open(self) -> Recording:
        recording = open_recording(self.dataset, self.data, self.bin_ms, settings=self.settings)
        if recording.test is None or (self.targets or recording.test_targets) is None:
            raise SystemExit(f"{self.data} has no test trials with known held-out spikes: give a recording that has")
        return recording

    def test_counts(self, recording: Recording) -> Counts:
        """Counts of the test trials; forward bins, which are not scored here, are unknown."""
        assert recording.test is not None
        sizes = sizes_of(recording)
        with h5py.File(self.targets or recording.test_targets) as targets:
            heldout = targets[recording.group]["eval_spikes_heldout"][()]
        counts = np.full((recording.test.n_trials, sizes.n_bins, sizes.n_neurons), UNSEEN, np.uint8)
        counts[:, : sizes.n_window, : sizes.n_heldin] = recording.test.heldin
        counts[:, : sizes.n_window, sizes.n_heldin :] = np.nan_to_num(heldout, nan=UNSEEN).astype(np.uint8)
        return Counts(torch.from_numpy(counts), sizes)


def scored_recordings(real: list[str], only: list[str] | None, draws: int) -> list[ScoredRecording]:
    """Real recordings (``FILE:BIN_MS``), ``draws`` of each synthetic one with hard dynamics, and those in the
    benchmark's layouts; if ``only`` is given, those with these names.
    """
    recordings = real_recordings(real)
    recordings += [recording for draw in range(draws) for recording in hard_recordings(draw)]
    recordings += [_benchmark_recording(synthetic) for synthetic in BENCHMARK_RECORDINGS]
    return [recording for recording in recordings if not only or recording.name in only]


def real_recording(file: Path, bin_ms: int) -> ScoredRecording:
    """A recording in an NWB file; its settings are in the TOML file of the same name beside it."""
    return ScoredRecording(file.stem, file.stem, file.absolute(), bin_ms, read_settings(file.with_suffix(".toml")))


def real_recordings(texts: list[str]) -> list[ScoredRecording]:
    """The recordings of options ``FILE:BIN_MS``."""
    files = [text.rpartition(":") for text in texts]
    return [real_recording(Path(file), int(bin_ms)) for file, _, bin_ms in files]


def hard_recordings(seed: int) -> list[ScoredRecording]:
    """The synthetic recordings with hard dynamics, drawn with ``seed`` and written to files if they are not there."""
    return [_written(hard, seed) for hard in HARD_RECORDINGS]


def _benchmark_recording(synthetic: Synthetic) -> ScoredRecording:
    synthetic.recording  # noqa: B018  generate it
    name = f"{synthetic.dataset}-{synthetic.seed}"
    return ScoredRecording(name, synthetic.dataset, synthetic.data, synthetic.bin_ms, targets=synthetic.truth)


def _written(hard: HardRecording, seed: int) -> ScoredRecording:
    name = f"{hard.name}-{seed}"
    recording = ScoredRecording(name, name, FOLDER / f"{name}.h5", bin_ms=10)
    if not recording.data.exists():
        FOLDER.mkdir(exist_ok=True)
        n_window, n_heldin = hard.sizes.n_window, hard.sizes.n_heldin
        arrays = {}
        for prefix, counts in zip(("train", "eval", "test"), hard.splits(seed), strict=True):
            counts_BTN = np.asarray(counts.counts_BTN)
            arrays[f"{prefix}_spikes_heldin"] = counts_BTN[:, :n_window, :n_heldin]
            arrays[f"{prefix}_spikes_heldout"] = counts_BTN[:, :n_window, n_heldin:]
            if hard.sizes.n_forward:
                arrays[f"{prefix}_spikes_heldin_forward"] = counts_BTN[:, n_window:, :n_heldin]
                arrays[f"{prefix}_spikes_heldout_forward"] = counts_BTN[:, n_window:, n_heldin:]
        from_arrays(recording.data, arrays, bin_ms=recording.bin_ms, name=name)
    return recording
