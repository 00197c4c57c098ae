"""``python -m benchmarks.quality.ensembles``: what averaging the trials of a search gains on val and on test.

Takes the searches of 16 trials that ``benchmarks.quality.gain`` has left in the folder ``bench``, with the same
``--real`` and ``--draws``. For each recording it compares the best trial, plain means of the three and the five best,
and the ensemble that ``export-best --ensemble auto`` selects on val:

- with the networks of the search, which were trained on train;
- trained again on train + val, as ``export-best --phase test`` does, with one or several seeds for each member;
- the mean of both.

Prints a Markdown table with co-bps on test, and means over recordings with their standard errors.
"""

import argparse
import math
import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import torch
from torch import Tensor

from benchmarks.quality.gain import SIXTEEN, study_of
from benchmarks.quality.training_length import test_counts
from benchmarks.shared.scored_recordings import ScoredRecording, hard_recordings, real_recordings
from nlb_search.models.architecture.network import predict
from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.tensors import Counts, with_nan
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.study.open_study import open_named_study
from nlb_search.search.study.status import complete_trials
from nlb_search.search.submission.ensemble_selection import select_ensemble
from nlb_search.search.submission.finalists import load_finalist
from nlb_search.search.submission.refit import refit
from nlb_search.search.submission.selection import CANDIDATES

BEST = "best trial"


@dataclass(frozen=True)
class Score:
    """co-bps on val and test of one way to combine the trials of a recording's search."""

    recording: str
    method: str
    val: float
    test: float


def _heldout(rates_BTN: Tensor, counts: Counts) -> Tensor:
    return rates_BTN[:, : counts.sizes.n_window, counts.sizes.n_heldin :]


def scores_of(scored: ScoredRecording, search_seed: int, seeds: int) -> list[Score]:
    """All scores on one recording. ``seeds`` is the number of networks per member in the last refit."""
    torch.set_num_threads(1)
    recording = scored.open()
    val, test = counts_of(recording.val), test_counts(recording)
    spikes = {split: with_nan(_heldout(split.counts_BTN, split)) for split in (val, test)}
    study = open_named_study(*study_of(scored, SIXTEEN, search_seed))
    finalists = [load_finalist(study, trial) for trial in complete_trials(study.study)[:CANDIDATES]]
    searched = {
        split: torch.stack([_heldout(predict(one.network, split.heldin_BWI), split) for one in finalists])
        for split in (val, test)
    }

    def score(method: str, val_BTN: Tensor | None, test_BTN: Tensor) -> Score:
        on_val = math.nan if val_BTN is None else bits_per_spike(val_BTN, spikes[val]).item()
        return Score(scored.name, method, on_val, bits_per_spike(test_BTN, spikes[test]).item())

    weightings = {BEST: torch.eye(len(finalists))[0]}
    for count in (3, 5):
        weightings[f"mean of {count}"] = (torch.arange(len(finalists)) < count) / min(count, len(finalists))
    weightings["auto"] = select_ensemble(searched[val], spikes[val])
    members = torch.stack(list(weightings.values())).sum(dim=0).nonzero().flatten().tolist()
    again = {
        member: torch.stack(
            [_heldout(predict(refit(study, finalists[member], seed), test.heldin_BWI), test) for seed in range(seeds)]
        )
        for member in members
    }
    found = []
    for method, weights_M in weightings.items():
        mean = {split: torch.einsum("m,mbtn->btn", weights_M, searched[split]) for split in (val, test)}
        one = sum(weights_M[m] * again[m][0] for m in members)
        several = sum(weights_M[m] * again[m].mean(dim=0) for m in members)
        found.append(score(method, mean[val], mean[test]))
        found.append(score(f"{method}, refit", None, one))
        found.append(score(f"{method}, refit with {seeds} seeds", None, several))
        found.append(score(f"{method}, search and refit", None, (mean[test] + one) / 2))
    return found


def table(scores: Sequence[Score]) -> str:
    """Test scores by recording and method; the last column is the mean gain over the best trial of the search."""
    by_method = defaultdict(dict)
    for score in scores:
        by_method[score.method][score.recording] = score
    recordings = list(by_method[BEST])
    columns = ["method", *recordings, "mean gain", "wins", "worst"]
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for method, found in by_method.items():
        gains = np.array([found[name].test - by_method[BEST][name].test for name in recordings])
        error = gains.std(ddof=1) / math.sqrt(len(gains)) if len(gains) > 1 else math.nan
        cells = [f"{found[name].test:.4f}" for name in recordings]
        summary = [f"{gains.mean():+.4f} ± {error:.4f}", f"{(gains > 0).sum()} of {len(gains)}", f"{gains.min():+.4f}"]
        lines.append(f"| {' | '.join([method, *cells, *summary])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="*", default=[], metavar="FILE:BIN_MS")
    parser.add_argument("--only", nargs="*", help="names of recordings to use, for example lorenz-0")
    parser.add_argument("--draws", type=int, default=1, help="number of draws of each synthetic recording")
    parser.add_argument("--search-seed", type=int, default=0, help="seed of the searches")
    parser.add_argument("--seeds", type=int, default=3, help="number of networks per member")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    recordings = real_recordings(options.real)
    recordings += [recording for draw in range(options.draws) for recording in hard_recordings(draw)]
    if options.only:
        recordings = [recording for recording in recordings if recording.name in options.only]
    with ProcessPoolExecutor(options.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        futures = [pool.submit(scores_of, one, options.search_seed, options.seeds) for one in recordings]
        scores = [score for future in futures for score in future.result()]
    print(table(scores), flush=True)


if __name__ == "__main__":
    main()
