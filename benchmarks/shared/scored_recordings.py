"""Recordings with known test spikes, real and synthetic, as files that the service opens."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.shared.hard_dynamics import HARD_RECORDINGS, HardRecording
from benchmarks.shared.synthetic_searches import FOLDER
from nlb_search.data import from_arrays
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings, read_settings
from nlb_search.data.recording import Recording


@dataclass(frozen=True)
class ScoredRecording:
    """A recording file with test trials whose held-out spikes are known, read in bins of ``bin_ms``."""

    name: str
    data: Path
    bin_ms: int
    settings: RecordingSettings | None = None

    def open(self) -> Recording:
        recording = open_recording(self.name, self.data, self.bin_ms, settings=self.settings)
        if recording.test is None or recording.test_targets is None:
            raise SystemExit(f"{self.data} has no test trials with known held-out spikes: give a recording that has")
        return recording


def real_recording(file: Path, bin_ms: int) -> ScoredRecording:
    """A recording in an NWB file; its settings are in the TOML file of the same name beside it."""
    return ScoredRecording(file.stem, file.absolute(), bin_ms, read_settings(file.with_suffix(".toml")))


def real_recordings(texts: list[str]) -> list[ScoredRecording]:
    """The recordings of options ``FILE:BIN_MS``."""
    files = [text.rpartition(":") for text in texts]
    return [real_recording(Path(file), int(bin_ms)) for file, _, bin_ms in files]


def hard_recordings(seed: int) -> list[ScoredRecording]:
    """The synthetic recordings with hard dynamics, drawn with ``seed`` and written to files if they are not there."""
    return [_written(hard, seed) for hard in HARD_RECORDINGS]


def _written(hard: HardRecording, seed: int) -> ScoredRecording:
    name = f"{hard.dynamics.__name__}-{seed}"
    recording = ScoredRecording(name, FOLDER / f"{name}.h5", bin_ms=10)
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
