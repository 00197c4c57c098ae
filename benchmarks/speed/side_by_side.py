"""``python -m benchmarks.speed.side_by_side``: step time of K trials trained side by side.

Measures on a GPU if torch finds one, otherwise on one core of the CPU. Sizes are those of mc_rtt. The trials differ in
seed and settings, but have the same chain and sizes, so that they form one group. Prints a Markdown table.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.shared.synthetic_searches import random_counts
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes
from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import TrainingPlan
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.memory import keep_freed_memory

MC_RTT = Sizes(n_heldin=98, n_heldout=32, n_window=120, n_forward=40)
CHAINS = ("GRU(2) -> FF -> exp", "minGRU(2) -> FF -> exp", "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp")


def trainings(chain: str, number: int, n_trials: int, device: torch.device) -> list[Training]:
    """``number`` trainings on random spikes, with batches of 32 trials."""
    train = random_counts(n_trials, MC_RTT).to(device)
    plan = TrainingPlan(epochs=20)
    return [
        Training(
            parse_chain(chain),
            Hyperparameters(lr=0.01 / (1 + seed % 3), dropout=0.3 + 0.02 * (seed % 8)),
            plan,
            train,
            seed,
            device,
        )
        for seed in range(number)
    ]


def clock_of(device: torch.device) -> Callable[[], float]:
    """CPU time on a CPU; on a GPU, wall-clock time after all queued work has finished."""
    if device.type == "cpu":
        return time.process_time

    def synchronized() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return synchronized


def step_ms(chain: str, number: int, n_trials: int, device: torch.device, rounds: int) -> float:
    """Milliseconds per step of all trainings together, the median over epochs."""
    steps = StackedTrainings(trainings(chain, number, n_trials, device))
    clock = clock_of(device)
    times = []
    for _ in range(rounds + 1):
        began = clock()
        losses = steps.train_epoch(lambda: False)
        assert losses is not None
        times.append(1e3 * (clock() - began) / len(losses))
    return statistics.median(times[1:])


def table(numbers: list[int], n_trials: int, device: torch.device, rounds: int) -> str:
    rows = []
    for chain in CHAINS:
        costs = [step_ms(chain, number, n_trials, device, rounds) for number in numbers]
        per_trial = [milliseconds / number for milliseconds, number in zip(costs, numbers, strict=True)]
        cells = [
            f"{total:.0f} / {each:.1f} / {per_trial[0] / each:.2f}"
            for total, each in zip(costs, per_trial, strict=True)
        ]
        rows.append(f"| {chain} | {' | '.join(cells)} |")
    head = f"| chain | {' | '.join(f'K = {number}' for number in numbers)} |"
    return "\n".join([head, f"|---|{'---|' * len(numbers)}", *rows])


def report(numbers: list[int], n_trials: int, rounds: int) -> str:
    """The table and the device it was measured on."""
    device = training_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "one core of the CPU"
    caption = f"On {name}: milliseconds per step in total / per trial / speedup against K = 1."
    return f"{caption}\n\n{table(numbers, n_trials, device, rounds)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=int, nargs="+", default=[1, 2, 4, 8], help="numbers of trials side by side")
    parser.add_argument(
        "--trials", type=int, default=96, help="trials of the recording; more trials mean more steps per epoch"
    )
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    keep_freed_memory()
    print(report(options.numbers, options.trials, options.rounds))


if __name__ == "__main__":
    main()
