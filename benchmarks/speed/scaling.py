"""``python -m benchmarks.speed.scaling``: step time against neurons, bins, batch size and hidden size.

Times steps of ``rnnf`` on random spikes. Varies one size at a time, starting from the sizes of mc_rtt. Prints a
Markdown table and draws ``docs/scale.svg``. Times are CPU time on one core.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from xml.sax.saxutils import escape

import torch

from benchmarks.shared.synthetic_searches import random_counts
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes
from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import TrainingPlan
from nlb_search.search.workers.memory import keep_freed_memory

PICTURE = Path("docs/scale.svg")
CHAIN = "GRU(2) -> FF -> exp"
DIVISOR = 4
"""As in mc_rtt, one in four bins is a forward bin, and one in four neurons is held out."""


@dataclass(frozen=True)
class Size:
    """Sizes that determine the step time. The defaults are those of mc_rtt, with the default batch and hidden size."""

    neurons: int = 128
    bins: int = 160
    trials: int = 32
    hidden: int = 40


VALUES = {
    "neurons": (32, 64, 128, 256, 512),
    "bins": (40, 80, 160, 320, 640),
    "trials": (8, 16, 32, 64, 128),
    "hidden": (10, 20, 40, 80, 160),
}


def step_ms(size: Size, rounds: int) -> float:
    """Milliseconds per step, the median of ``rounds``."""
    forward, heldout = size.bins // DIVISOR, size.neurons // DIVISOR
    train = random_counts(size.trials, Sizes(size.neurons - heldout, heldout, size.bins - forward, forward))
    plan = TrainingPlan(epochs=rounds + 1, batch_size=size.trials)
    hyper = Hyperparameters(hidden=size.hidden)
    steps = StackedTrainings([Training(parse_chain(CHAIN), hyper, plan, train, 0, torch.device("cpu"))])
    times = []
    for _ in range(rounds + 1):
        began = time.process_time()
        steps.train_epoch(lambda: False)
        times.append(1e3 * (time.process_time() - began))
    return statistics.median(times[1:])


def measure(rounds: int) -> dict[str, list[float]]:
    """Milliseconds per step for every value of every size."""
    return {
        name: [step_ms(replace(Size(), **{name: value}), rounds) for value in values] for name, values in VALUES.items()
    }


def table(costs: dict[str, list[float]]) -> str:
    """The step times, and the ratios of the first and of the last doubling of each size."""
    rows = []
    for name, found in costs.items():
        cells = [f"{value}: {milliseconds:.0f}" for value, milliseconds in zip(VALUES[name], found, strict=True)]
        rows.append(f"| {name} | {' | '.join(cells)} | {found[1] / found[0]:.2f} | {found[-1] / found[-2]:.2f} |")
    head = "| varied | value: ms per step | | | | | ratio of first doubling | ratio of last doubling |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *rows])


WIDTH, HEIGHT, MARGIN = 520, 320, 48
COLOURS = {"neurons": "#4477aa", "bins": "#ee6677", "trials": "#228833", "hidden": "#aa3377"}


def picture(costs: dict[str, list[float]]) -> str:
    """One line per varied size: step time against the multiple of the middle value, both on logarithmic axes."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            'font-size="12">',
            '<rect width="100%" height="100%" fill="white"/>',
            *_axes(costs),
            *(line for name, found in costs.items() for line in _line(name, found, costs)),
            "</svg>",
            "",
        ]
    )


def _axes(costs: dict[str, list[float]]) -> Iterator[str]:
    for multiple in (0.25, 0.5, 1, 2, 4):
        x = _x(multiple)
        yield f'<line x1="{x}" x2="{x}" y1="{MARGIN / 2}" y2="{HEIGHT - MARGIN}" stroke="#ddd"/>'
        yield f'<text x="{x}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{multiple:g}</text>'
    for milliseconds in (10, 20, 40, 80, 160, 320, 640):
        y = _y(milliseconds, costs)
        if MARGIN / 2 <= y <= HEIGHT - MARGIN:
            yield f'<line x1="{MARGIN}" x2="{WIDTH - 110}" y1="{y}" y2="{y}" stroke="#ddd"/>'
            yield f'<text x="{MARGIN - 6}" y="{y + 4}" text-anchor="end">{milliseconds}</text>'
    middle = ", ".join(f"{value} {name}" for name, value in vars(Size()).items())
    yield f'<text x="{MARGIN}" y="14">ms per step, {escape(CHAIN)}, one core</text>'
    yield f'<text x="{MARGIN}" y="{HEIGHT - 8}">multiples of {middle}</text>'


def _line(name: str, found: list[float], costs: dict[str, list[float]]) -> Iterator[str]:
    middle = getattr(Size(), name)
    points = [(_x(value / middle), _y(cost, costs)) for value, cost in zip(VALUES[name], found, strict=True)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>'
    yield f'<text x="{points[-1][0] + 6:.1f}" y="{points[-1][1] + 4:.1f}" fill="{COLOURS[name]}">{name}</text>'


def _x(multiple: float) -> float:
    doublings = torch.log2(torch.tensor(multiple)).item() + 2
    return MARGIN + doublings / 4 * (WIDTH - 110 - MARGIN)


def _y(milliseconds: float, costs: dict[str, list[float]]) -> float:
    everything = [cost for found in costs.values() for cost in found]
    low, high = (torch.log2(torch.tensor(edge(everything))).item() for edge in (min, max))
    height = HEIGHT - 1.5 * MARGIN
    share = (torch.log2(torch.tensor(milliseconds)).item() - low) / (high - low)
    return HEIGHT - MARGIN - share * height


def report(rounds: int) -> str:
    """The table. Also draws the figure."""
    costs = measure(rounds)
    PICTURE.write_text(picture(costs))
    return f"{table(costs)}\n\n![Step time against each size](../{PICTURE})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    print(report(options.rounds))


if __name__ == "__main__":
    main()
