"""``python -m benchmarks.quality.ensembles``: what averaging the trials of a search gains, on val and on test.

Searches each recording with several chains in one study, real recordings (``--real session.nwb:20``: the file and the
bin width in ms, with ``session.toml`` beside it) and synthetic ones, then combines the trials:

- ``best trial``, and plain means of the three and the five best complete trials;
- ``auto, complete``: the ensemble that is selected on val from the complete trials alone;
- ``auto``: the same from pruned trials too, as ``export-best --ensemble auto`` does;
- ``auto, equal weights`` and ``auto, log-rates``: the members of ``auto``, with equal weights or averaged as log-rates;
- ``auto, large weights``: the members of ``auto`` whose weight is at least 0.1;

each with the networks of the search, which were trained on train. The best trial, ``auto`` and ``auto, large weights``
are also retrained on train + val, with one, three and five networks per member, and averaged with the networks of
the search. Prints two Markdown tables, with co-bps on val and on test, and means over recordings with their standard
errors; retrained networks have seen the val trials and have no score on val. ``--log`` keeps each
recording's scores, so that an interrupted run can be continued.
"""

import argparse
import json
import math
import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from optuna.trial import TrialState
from torch import Tensor

from benchmarks.shared.scored_recordings import ScoredRecording, scored_recordings
from benchmarks.shared.synthetic_searches import FOLDER
from nlb_search.models.architecture.network import predict
from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.tensors import Counts, with_nan
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.ensembles.ensemble_selection import select_ensemble
from nlb_search.search.ensembles.loaded_trial import load_trial
from nlb_search.search.ensembles.refit import RefitOptions, refit
from nlb_search.search.ensembles.trial_selection import CANDIDATES
from nlb_search.search.networks.saved_networks import trials_with_networks
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.urls import parse_url

CHAINS = ("GRU(2) -> FF -> exp", "minGRU(2) -> FF -> exp", "GRU(2) -> FF -> Conv -> FF -> exp")
BEST, COMPLETE, AUTO, LARGE = "best trial", "auto, complete", "auto", "auto, large weights"
LEAST_LARGE_WEIGHT = 0.1


@dataclass(frozen=True)
class Score:
    """co-bps on val (NaN after a refit) and test of one way to combine the trials of a recording's search."""

    recording: str
    method: str
    val: float
    test: float
    n_members: int


def study_of(recording: ScoredRecording, trials: int, seed: int) -> OpenStudy:
    """The finished search of a recording, continued if it was interrupted."""
    name = f"ensembles-{recording.name}-{trials}-{seed}"
    locations = Locations(parse_url(f"sqlite:///{FOLDER / name}.db"), FOLDER / "artifacts" / name, recording.data)
    request = StudyRequest(
        dataset=recording.dataset,
        architectures=CHAINS,
        trials=trials,
        seed=seed,
        bin_ms=recording.bin_ms,
        recording=recording.settings,
    )
    study = create_or_open(locations, name, request)
    work(study, Stop())
    return study


def scores_of(scored: ScoredRecording, trials: int, search_seed: int, seeds: dict[str, list[int]]) -> list[Score]:
    """All scores on one recording. ``seeds`` are the numbers of networks per member in the refits of a method."""
    torch.set_num_threads(1)
    recording = scored.open()
    study = study_of(scored, trials, search_seed)
    splits = {"val": counts_of(recording.val), "test": scored.test_counts(recording)}
    spikes = {name: with_nan(_heldout(counts.counts_BTN, counts)) for name, counts in splits.items()}
    ranked = trials_with_networks(study)
    candidates = [trial for trial in ranked if trial.state == TrialState.COMPLETE][:CANDIDATES]
    candidates += [trial for trial in ranked if trial.state == TrialState.PRUNED][:CANDIDATES]
    loaded_trials = [load_trial(study, trial) for trial in candidates]
    searched = {
        name: torch.stack([_heldout(one.rates(counts.heldin_BWI), counts) for one in loaded_trials])
        for name, counts in splits.items()
    }

    def refitted(member: int, n_networks: int) -> Tensor:
        """Mean test rates of a member's retrained networks. Networks are stored and reused."""
        [networks] = refit([loaded_trials[member]], RefitOptions(n_networks))
        heldin = splits["test"].heldin_BWI
        return torch.stack([_heldout(predict(one, heldin), splits["test"]) for one in networks]).mean(dim=0)

    found = []
    n_complete = sum(trial.state == TrialState.COMPLETE for trial in candidates)
    for method, weights_M in _weightings(searched["val"], spikes["val"], n_complete).items():
        members = weights_M.nonzero().flatten().tolist()
        mean = {name: torch.einsum("m,mbtn->btn", weights_M, rates) for name, rates in searched.items()}
        on_val = bits_per_spike(mean["val"], spikes["val"]).item()
        tests = {method: mean["test"]}
        for count in seeds.get(method, []):
            again_BTN = torch.stack([weights_M[member] * refitted(member, count) for member in members]).sum(dim=0)
            tests[f"{method}, refit x {count}"] = again_BTN
            tests[f"{method}, search and refit x {count}"] = (mean["test"] + count * again_BTN) / (1 + count)
        for name, rates_BTN in tests.items():
            score = bits_per_spike(rates_BTN, spikes["test"]).item()
            found.append(Score(scored.name, name, on_val if name == method else math.nan, score, len(members)))
        if method == AUTO:
            geometric = {
                name: bits_per_spike(torch.einsum("m,mbtn->btn", weights_M, rates.log()).exp(), spikes[name]).item()
                for name, rates in searched.items()
            }
            found.append(Score(scored.name, f"{AUTO}, log-rates", **geometric, n_members=len(members)))
    return found


def _weightings(rates_MBTN: Tensor, spikes_BTN: Tensor, n_complete: int) -> dict[str, Tensor]:
    """The weights of each method. The first ``n_complete`` candidates are complete trials, best first."""
    n_candidates = len(rates_MBTN)
    weightings = {BEST: torch.eye(n_candidates)[0]}
    for wanted in (3, 5):
        count = min(wanted, n_complete)
        weightings[f"mean of {wanted}"] = (torch.arange(n_candidates) < count) / count
    complete_M = select_ensemble(rates_MBTN[:n_complete], spikes_BTN)
    weightings[COMPLETE] = torch.nn.functional.pad(complete_M, (0, n_candidates - n_complete))
    weightings[AUTO] = select_ensemble(rates_MBTN, spikes_BTN)
    large_M = weightings[AUTO] * (weightings[AUTO] >= min(LEAST_LARGE_WEIGHT, weightings[AUTO].max().item()))
    weightings[LARGE] = large_M / large_M.sum()
    weightings[f"{AUTO}, equal weights"] = (weightings[AUTO] > 0) / (weightings[AUTO] > 0).sum()
    return weightings


def _heldout(rates_BTN: Tensor, counts: Counts) -> Tensor:
    return rates_BTN[:, : counts.sizes.n_window, counts.sizes.n_heldin :]


def table(scores: Sequence[Score], split: Literal["val", "test"]) -> str:
    """Scores on a split by recording and method; the last columns compare with the best trial of the search.

    Retrained networks are left out on val, and on test compared with the best trial retrained once.
    """
    by_method: dict[str, dict[str, Score]] = defaultdict(dict)
    for score in scores:
        by_method[score.method][score.recording] = score
    recordings = list(by_method[BEST])
    columns = [f"method, {split}", *recordings, "mean gain", "wins", "worst"]
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for method, found in by_method.items():
        is_refit = any(math.isnan(score.val) for score in found.values())
        if is_refit and split == "val":
            continue
        reference = by_method[f"{BEST}, refit x 1" if is_refit else BEST]
        values, references = (
            np.array([getattr(of_one[name], split) for name in recordings]) for of_one in (found, reference)
        )
        gains = values - references
        error = gains.std(ddof=1) / math.sqrt(len(gains)) if len(gains) > 1 else math.nan
        summary = [f"{gains.mean():+.4f} ± {error:.4f}", f"{(gains > 0).sum()} of {len(gains)}", f"{gains.min():+.4f}"]
        lines.append(f"| {' | '.join([method, *(f'{value:.4f}' for value in values), *summary])} |")
    lines.append(f"| members of {AUTO} | {' | '.join(str(by_method[AUTO][name].n_members) for name in recordings)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="*", default=[], metavar="FILE:BIN_MS")
    parser.add_argument("--only", nargs="*", help="names of recordings to use, for example lorenz-0")
    parser.add_argument("--draws", type=int, default=1, help="number of draws of each synthetic recording")
    parser.add_argument("--trials", type=int, default=16, help="number of trials of each search")
    parser.add_argument("--search-seed", type=int, default=0, help="seed of the searches")
    parser.add_argument(
        "--best-seeds", type=int, nargs="*", default=[1, 3, 5], help="networks in refits of the best trial"
    )
    parser.add_argument(
        "--auto-seeds", type=int, nargs="*", default=[1, 3, 5], help="networks per member in those of auto"
    )
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--log", type=Path, required=True, help="file of scores, which are not computed again")
    options = parser.parse_args()
    scores = (
        [Score(**json.loads(line)) for line in options.log.read_text().splitlines()] if options.log.exists() else []
    )
    seeds = {BEST: options.best_seeds, AUTO: options.auto_seeds, LARGE: options.auto_seeds}
    done = {score.recording for score in scores}
    recordings = scored_recordings(options.real, options.only, options.draws)
    with ProcessPoolExecutor(options.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        pending = [
            pool.submit(scores_of, one, options.trials, options.search_seed, seeds)
            for one in recordings
            if one.name not in done
        ]
        for future in as_completed(pending):
            scores += future.result()
            with options.log.open("a") as log:
                log.writelines(json.dumps(asdict(score)) + "\n" for score in future.result())
    order = [recording.name for recording in recordings]
    scores = sorted((score for score in scores if score.recording in order), key=lambda one: order.index(one.recording))
    for split in ("val", "test"):
        print(table(scores, split), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
