"""The context of a part: sizes, device, deadline and output."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.gpu_parts.findings import NO_GPU, Record
from benchmarks.shared.synthetic_searches import Synthetic
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Counts, Sizes
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import TrainingPlan

RNNF = "GRU(2) -> FF -> exp"
CHAINS = (RNNF, "minGRU(2) -> FF -> exp", "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp")


@dataclass(frozen=True, kw_only=True)
class Size:
    """Sizes of the measurements.

    ``search_options`` are options of ``launch``, ``n_side_by_side`` the numbers of trials side by side, ``steps`` the
    steps per epoch when steps are timed, ``epochs`` the length of the learning curves, and ``seeds`` the number of
    learning curves for each precision.
    """

    recording: Synthetic
    sizes: Sizes
    search_trials: int
    search_options: tuple[str, ...]
    kill_trials: int
    kill_epochs: int
    n_side_by_side: tuple[int, ...]
    processes: tuple[int, ...]
    process_trials: int
    process_seconds: float
    steps: int
    epochs: int
    seeds: int


FULL = Size(
    recording=Synthetic("mc_rtt", neurons=130, trials=1351),
    sizes=Sizes(n_heldin=98, n_heldout=32, n_window=120, n_forward=40),
    search_trials=120,
    search_options=(),
    kill_trials=24,
    kill_epochs=12,
    n_side_by_side=(1, 4, 16, 64),
    processes=(1, 2, 4),
    process_trials=16,
    process_seconds=5.0,
    steps=12,
    epochs=12,
    seeds=4,
)
"""The size of mc_rtt in the benchmark: 810 train, 270 val and 271 test trials."""

TOY = Size(
    recording=Synthetic("mc_rtt", neurons=24, trials=60),
    sizes=Sizes(n_heldin=6, n_heldout=2, n_window=8, n_forward=4),
    search_trials=1,
    search_options=("--epochs", "3", "--workers", "1"),
    kill_trials=1,
    kill_epochs=6,
    n_side_by_side=(1, 2),
    processes=(2,),
    process_trials=2,
    process_seconds=0.5,
    steps=4,
    epochs=3,
    seeds=2,
)
"""For test runs on a CPU."""

SIZES = {"full": FULL, "toy": TOY}


@dataclass(frozen=True)
class Context:
    """What a part receives. ``deadline`` is when the part is killed, on the monotonic clock."""

    size: Size
    device: torch.device
    folder: Path
    record: Record
    deadline: float

    @property
    def has_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()

    def skip_without_gpu(self, what: str) -> None:
        """Record that a measurement was skipped because it needs a GPU."""
        self.record.sentence(f"{what}: {NO_GPU}.")

    def synchronize(self) -> None:
        """Wait until the device has finished all queued work."""
        if self.has_gpu:
            torch.cuda.synchronize(self.device)


def trainings(chain: str, number: int, counts: Counts, epochs: int, device: torch.device) -> list[Training]:
    """Trainings of one chain that differ in seed, learning rate and dropout. ``counts`` must be on the device."""
    return [
        Training(
            parse_chain(chain),
            Hyperparameters(lr=0.01 / (1 + seed % 3), dropout=0.3 + 0.02 * (seed % 8)),
            TrainingPlan(epochs=epochs),
            counts,
            seed,
            device,
        )
        for seed in range(number)
    ]
