"""``python -m benchmarks.quality.default_settings``: which settings and chains are good on many recordings.

Trains ``rnnf`` with the default settings of 0.5.0 and with others, and other chains with their present ones
(``CANDIDATES``), with several seeds, on real recordings (``--real session.nwb:20``: the file and the bin width in ms,
with ``session.toml`` beside it) and on synthetic ones. The checkpoint that is best on val is scored on test, without a
refit on train + val.

Prints two Markdown tables. The first has the test co-bps of these default settings, and the difference of each
candidate. The second has portfolios, in the order in which a greedy choice adds candidates: each time the one that
increases the most, on average over recordings, the val co-bps of the best candidate chosen so far. Each portfolio is
scored on recordings that it was not chosen on: for each recording, it is chosen on the others, its best candidate on
val is taken, and its test co-bps is compared with that of the default settings. ``--log`` keeps each result, so that
an interrupted run can be continued.
"""

import argparse
import json
import math
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.shared.scored_recordings import ScoredRecording, scored_recordings
from benchmarks.shared.trained_networks import best_network, train_networks
from nlb_search.models.architecture.network import predict
from nlb_search.models.scoring.bits_per_spike import co_bps
from nlb_search.models.tensors import Counts
from nlb_search.models.training.training import Training
from nlb_search.search.recording_tensors import counts_of

RNNF = "GRU(2) -> FF -> exp"
DEFAULT = "default of 0.5.0"
_DEFAULT_SETTINGS = {"lr": 0.01, "hidden": 40, "weight_decay": 0.0}
_OF_0_6 = {"lr": 0.005, "hidden": 76}
_SETTINGS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "lr 0.005": {"lr": 0.005},
    "lr 0.002": {"lr": 0.002},
    "hidden 76": {"hidden": 76},
    "lr 0.005, hidden 76": {"lr": 0.005, "hidden": 76},
    "lr 0.003, hidden 64": {"lr": 0.003, "hidden": 64},
    "lr 0.002, hidden 76": {"lr": 0.002, "hidden": 76},
    "lr 0.001, dropout 0.4": {"lr": 0.001, "dropout": 0.4},
    "dropout 0.15": {"dropout": 0.15},
    "dropout 0.45": {"dropout": 0.45},
    "mask ratio 0.15": {"mask_ratio": 0.15},
    "mask ratio 0.45": {"mask_ratio": 0.45},
    "mask line": {"mask_variant": "line"},
    "mask dot line": {"mask_variant": "dot line"},
    "mask L": {"mask_variant": "L"},
    "mask line, lr 0.002, hidden 76": {"mask_variant": "line", "lr": 0.002, "hidden": 76},
    "mask dot line, lr 0.002, hidden 76": {"mask_variant": "dot line", "lr": 0.002, "hidden": 76},
    "mask span, lr 0.005, hidden 76": {"mask_variant": "span", "lr": 0.005, "hidden": 76},
    "mask dot span, lr 0.005, hidden 76": {"mask_variant": "dot span", "lr": 0.005, "hidden": 76},
    "mask line span, lr 0.005, hidden 76": {"mask_variant": "line span", "lr": 0.005, "hidden": 76},
    "crops, lr 0.005": {"input_size": "dT", "lr": 0.005},
    "1 layer": {"num_layers": 1},
    "3 layers": {"num_layers": 3},
    "l2 1e-5": {"l2_weight": 1e-5},
    **{f"lr 0.005, hidden 76, l2 {l2}": _OF_0_6 | {"l2_weight": float(l2)} for l2 in ("1e-4", "3e-4", "1e-3")},
    **{
        f"lr 0.005, hidden 76, weight decay {decay:g}": _OF_0_6 | {"weight_decay": decay}
        for decay in (0.1, 0.3, 1, 3, 10)
    },
}
_CHAINS = (
    "minGRU(2) -> FF -> exp",
    "LRU(2) -> FF -> exp",
    "Conv -> GRU(2) -> FF -> exp",
    "GRU(2) -> FF -> Conv -> FF -> exp",
    "GRU(2) -> FF -> RoFormer(1) -> FF -> exp",
    "FF -> Trans(2) -> FF -> exp",
    "FF -> RoFormer(2) -> FF -> exp",
    "FF -> STNDT(2) -> FF -> exp",
    "Conv -> Trans(2) -> FF -> exp",
    "Conv -> RoFormer(2) -> FF -> exp",
    "Conv -> STNDT(2) -> FF -> exp",
)
_CONTRASTIVE_WEIGHTS = (0.003, 0.01, 0.1)
CANDIDATES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (RNNF, _DEFAULT_SETTINGS | settings) for name, settings in _SETTINGS.items()},
    **{chain: (chain, {}) for chain in _CHAINS},
    **{f"{_CHAINS[-1]}, contrastive {w}": (_CHAINS[-1], {"contrastive_weight": w}) for w in _CONTRASTIVE_WEIGHTS},
}
"""A chain by name, and the settings that differ from its default ones."""

PORTFOLIO = 5
"""Largest number of settings in a portfolio."""


@dataclass(frozen=True)
class Result:
    """Scores of one network at the checkpoint that is best on val, and the CPU time of its training in seconds."""

    recording: str
    settings: str
    seed: int
    val: float
    test: float
    seconds: float


def train(recording: ScoredRecording, settings: str, seeds: int) -> list[Result]:
    """Train one network per seed, side by side, and score them."""
    opened = recording.open()
    test = recording.test_counts(opened)
    chain, changes = CANDIDATES[settings]
    start = time.process_time()
    trainings = train_networks(counts_of(opened.train), counts_of(opened.val), chain, changes, seeds)
    seconds = (time.process_time() - start) / seeds
    return [
        Result(recording.name, settings, training.seed, *_scores(training, test), seconds) for training in trainings
    ]


def _scores(training: Training, test: Counts) -> tuple[float, float]:
    """Val and test co-bps of the best checkpoint."""
    assert training.best is not None
    return training.best.evaluation.co_bps, co_bps(predict(best_network(training), test.heldin_BWI), test).item()


def means(results: Sequence[Result], score: str) -> dict[str, dict[str, float]]:
    """Mean over seeds of ``val`` or ``test``, by settings and recording."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        values[result.settings][result.recording].append(getattr(result, score))
    return {settings: {name: fmean(scores) for name, scores in found.items()} for settings, found in values.items()}


def difference_rows(results: Sequence[Result], recordings: Sequence[str]) -> list[str]:
    """The first table: a line per settings, a column per recording, and the mean difference."""
    test = means(results, "test")
    lines = [f"| settings | {' | '.join(recordings)} | mean |", f"|{'---|' * (len(recordings) + 2)}"]
    for settings, found in test.items():
        cells, differences = [], []
        for name in recordings:
            if name not in found:
                cells.append("")
                continue
            error = _error([r.test for r in results if (r.settings, r.recording) == (settings, name)])
            difference = found[name] - test[DEFAULT][name]
            differences.append(difference)
            cells.append(f"{found[name]:.4f}{error}" if settings == DEFAULT else f"{difference:+.4f}{error}")
        mean = "" if settings == DEFAULT or not differences else f"{fmean(differences):+.4f}"
        lines.append(f"| {settings} | {' | '.join(cells)} | {mean} |")
    return lines


def _error(scores: Sequence[float]) -> str:
    return f" ± {stdev(scores) / math.sqrt(len(scores)):.4f}" if len(scores) > 1 else ""


def greedy(val: Mapping[str, Mapping[str, float]], recordings: Sequence[str]) -> list[str]:
    """The settings of a portfolio, the default first, chosen greedily on val."""
    chosen = [DEFAULT]
    while len(chosen) < min(PORTFOLIO, len(val)):

        def value(candidate: str) -> float:
            return fmean(max(val[settings][name] for settings in (*chosen, candidate)) for name in recordings)

        chosen.append(max((settings for settings in val if settings not in chosen), key=value))
    return chosen


def portfolio_rows(results: Sequence[Result]) -> list[str]:
    """The second table: portfolios of 1, 2, ... settings, scored on recordings that they were not chosen on."""
    val, test = means(results, "val"), means(results, "test")
    recordings = list(val[DEFAULT])
    whole = {settings: found for settings, found in val.items() if found.keys() == val[DEFAULT].keys()}
    lines = ["| settings | chosen on all recordings | test, over the default |", "|---|---|---|"]
    chosen_on_others = {name: greedy(whole, [other for other in recordings if other != name]) for name in recordings}
    for size, added in enumerate(greedy(whole, recordings), 1):
        gains = []
        for name in recordings:
            best = max(chosen_on_others[name][:size], key=lambda settings: whole[settings][name])
            gains.append(test[best][name] - test[DEFAULT][name])
        lines.append(f"| {size} | {added} | {fmean(gains):+.4f}{_error(gains)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="*", default=[], metavar="FILE:BIN_MS")
    parser.add_argument("--only", nargs="*", help="names of recordings to use, for example lorenz-0")
    parser.add_argument("--settings", nargs="*", choices=list(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--log", type=Path, required=True, help="file of results, which are not computed again")
    options = parser.parse_args()
    recordings = scored_recordings(options.real, options.only, draws=1)
    results = (
        [Result(**json.loads(line)) for line in options.log.read_text().splitlines()] if options.log.exists() else []
    )
    done = {(result.recording, result.settings) for result in results}
    with ProcessPoolExecutor(options.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        pending = [
            pool.submit(train, recording, settings, options.seeds)
            for settings in options.settings
            for recording in recordings
            if (recording.name, settings) not in done
        ]
        for future in as_completed(pending):
            results += future.result()
            with options.log.open("a") as log:
                log.writelines(json.dumps(asdict(result)) + "\n" for result in future.result())
    names = [recording.name for recording in recordings]
    chosen = [result for result in results if result.recording in names]
    print("\n".join(difference_rows(chosen, names)), flush=True)
    if len(names) > 1:  # a portfolio is scored on a recording that it was not chosen on
        print("\n".join(["", *portfolio_rows(chosen)]), flush=True)


if __name__ == "__main__":
    main()
