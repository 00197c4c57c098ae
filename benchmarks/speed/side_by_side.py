"""``python -m benchmarks.speed.side_by_side``: what a step takes when K trials are trained side by side.

Prints a Markdown table for the device that is there: a GPU where torch sees one, else one core of the CPU. Sizes are
those of mc_rtt; the trials differ in seed and settings, but not in what would keep them apart.
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
from nlb_search.models.training.side_by_side import SideBySide
from nlb_search.models.training.state import Training
from nlb_search.models.training.training_plan import Plan
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.memory import keep_freed_memory

MC_RTT = Sizes(n_heldin=98, n_heldout=32, n_window=120, n_forward=40)
CHAINS = ("GRU(2) -> FF -> exp", "minGRU(2) -> FF -> exp", "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp")


def trainings(chain: str, number: int, n_trials: int, device: torch.device) -> list[Training]:
    """So many trainings on random spikes, a batch of 32 trials a step."""
    train = random_counts(n_trials, MC_RTT).to(device)
    plan = Plan(epochs=20)
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


def seconds_of(device: torch.device) -> Callable[[], float]:
    """A clock that has waited for all that the device was given to do."""
    if device.type == "cpu":
        return time.process_time

    def waited() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return waited


def cost(chain: str, number: int, n_trials: int, device: torch.device, rounds: int) -> float:
    """Milliseconds of a step of all trainings together, the median of some epochs."""
    steps = SideBySide(trainings(chain, number, n_trials, device))
    clock = seconds_of(device)
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
        costs = [cost(chain, number, n_trials, device, rounds) for number in numbers]
        each = [milliseconds / number for milliseconds, number in zip(costs, numbers, strict=True)]
        cells = [f"{all_:.0f} / {one:.1f} / {each[0] / one:.2f}" for all_, one in zip(costs, each, strict=True)]
        rows.append(f"| {chain} | {' | '.join(cells)} |")
    head = f"| chain | {' | '.join(f'K = {number}' for number in numbers)} |"
    return "\n".join([head, f"|---|{'---|' * len(numbers)}", *rows])


def report(numbers: list[int], n_trials: int, rounds: int) -> str:
    """The table, with what it was measured on."""
    device = training_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "one core of the CPU"
    words = f"On {name}: milliseconds of a step of all K / of each / how many times as fast as alone."
    return f"{words}\n\n{table(numbers, n_trials, device, rounds)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=int, nargs="+", default=[1, 2, 4, 8], help="trials side by side")
    parser.add_argument("--trials", type=int, default=96, help="of the recording: as many more steps an epoch")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    keep_freed_memory()
    print(report(options.numbers, options.trials, options.rounds))


if __name__ == "__main__":
    main()
