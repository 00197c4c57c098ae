"""``python -m benchmarks.quality.pruners``: what each pruner finds in the same CPU time.

Searches recordings without a pruner, real ones (``--real session.nwb:20``: the file and the bin width in ms, with
``session.toml`` beside it) and synthetic ones with hard dynamics, then replays the learning curves with each pruner, in
many random orders, until the CPU time of a number of average trials is used up. Prints a Markdown table with the best
co-bps on val of all networks, including those of pruned trials, and with the numbers of trials.
"""

import argparse
import math
import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import fmean

import optuna
import torch
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial, TrialState

from benchmarks.shared.scored_recordings import ScoredRecording, scored_recordings
from benchmarks.shared.synthetic_searches import FOLDER
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.sampling.halving import HalvingPruner
from nlb_search.search.sampling.pruners import make_pruner
from nlb_search.search.study.open_study import Locations
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.trials.trial_scores import complete_trials
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.urls import parse_url

CHAIN = "GRU(2) -> FF -> exp"


@dataclass(frozen=True)
class Curve:
    """The learning curve of a trial: co-bps on val by epoch, and its CPU time per epoch."""

    scores: dict[int, float]
    seconds_per_epoch: float

    @property
    def seconds(self) -> float:
        return max(self.scores) * self.seconds_per_epoch


@dataclass(frozen=True)
class Replayed:
    """A search that was replayed with a pruner: its best score, and its numbers of trials and of complete ones."""

    best: float
    n_trials: int
    n_complete: int


def curves_of(recording: ScoredRecording, trials: int) -> tuple[SearchSpec, list[Curve]]:
    """The curves of a search without a pruner, the trial with the default settings first."""
    torch.set_num_threads(1)
    name = f"pruners-{recording.name}-{trials}"
    locations = Locations(parse_url(f"sqlite:///{FOLDER / name}.db"), FOLDER / "artifacts" / name, recording.data)
    request = StudyRequest(
        dataset=recording.dataset,
        architectures=(CHAIN,),
        trials=trials,
        pruner="none",
        bin_ms=recording.bin_ms,
        recording=recording.settings,
    )
    study = create_or_open(locations, name, request)
    work(study, Stop())
    return study.spec, [_curve(trial) for trial in sorted(complete_trials(study.study), key=lambda one: one.number)]


def _curve(trial: FrozenTrial) -> Curve:
    scores = trial.intermediate_values
    assert trial.duration is not None
    return Curve(scores, trial.duration.total_seconds() / max(scores))


def pruners_for(spec: SearchSpec) -> dict[str, Callable[[], BasePruner]]:
    """The pruners to compare, by name."""
    ninth = max(3, spec.epochs // 9)

    def rung(factor: int, power: int) -> int:
        return math.ceil(ninth * int(factor**power) / spec.evaluate_every) * spec.evaluate_every

    return {
        "none": NopPruner,
        "median": lambda: MedianPruner(n_startup_trials=5, n_warmup_steps=ninth),
        "hyperband": lambda: HyperbandPruner(ninth, spec.epochs, 3),
        "Optuna's successive halving, 3": lambda: SuccessiveHalvingPruner(ninth, 3),
        "best scores, 3": lambda: HalvingPruner(frozenset({rung(3, 0), rung(3, 1)}), 3),
        "best scores, 2 (`halving`)": lambda: make_pruner(spec.sampling),
    }


def replay(curves: Sequence[Curve], pruner: BasePruner, seconds: float) -> Replayed:
    """Run the trials one after the other with ``pruner`` until ``seconds`` are used up."""
    study = optuna.create_study(study_name="replay", direction="maximize", pruner=pruner)
    best, used, n_complete = -math.inf, 0.0, 0
    for curve in curves:
        if used >= seconds:
            break
        trial, state = study.ask(), TrialState.COMPLETE
        for epoch, score in curve.scores.items():
            trial.report(score, epoch)
            best = max(best, score)
            if trial.should_prune():
                state = TrialState.PRUNED
                break
        used += epoch * curve.seconds_per_epoch
        n_complete += state == TrialState.COMPLETE
        study.tell(trial, None if state == TrialState.PRUNED else max(curve.scores.values()), state=state)
    return Replayed(best, len(study.trials), n_complete)


def rows(recording: ScoredRecording, trials: int, budget: float, orders: int) -> list[str]:
    """The lines of one recording. The budget is a number of average trials without a pruner."""
    spec, curves = curves_of(recording, trials)
    spec = spec.model_copy(update={"pruner": "halving"})
    seconds = budget * fmean(curve.seconds for curve in curves)
    found = []
    for name, make in pruners_for(spec).items():
        replayed = []
        for order in range(orders):
            later = curves[1:]
            random.Random(order).shuffle(later)
            replayed.append(replay([curves[0], *later], make(), seconds))
        cells = [f"{fmean(getattr(one, field) for one in replayed):.1f}" for field in ("n_trials", "n_complete")]
        found.append(f"| {recording.name} | {name} | {fmean(one.best for one in replayed):.4f} | {' | '.join(cells)} |")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="*", default=[], metavar="FILE:BIN_MS")
    parser.add_argument("--only", nargs="*", help="names of recordings to use, for example lorenz-0")
    parser.add_argument("--trials", type=int, default=24, help="number of trials of each search")
    parser.add_argument("--budget", type=float, default=6, help="CPU time of a replayed search, in average trials")
    parser.add_argument("--orders", type=int, default=40, help="number of random orders")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    recordings = scored_recordings(options.real, options.only, draws=1)
    print("| recording | pruner | best network | trials | complete |\n|---|---|---|---|---|", flush=True)
    with ProcessPoolExecutor(options.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        futures = [pool.submit(rows, one, options.trials, options.budget, options.orders) for one in recordings]
        for future in futures:
            print("\n".join(future.result()), flush=True)


if __name__ == "__main__":
    main()
