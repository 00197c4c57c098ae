"""What to try next after a search, from what the study shows."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from optuna.trial import FrozenTrial

from nlb_search.search.networks.ties import Ties
from nlb_search.search.rescoring.rescoring_attributes import RESCORING_KEY
from nlb_search.search.sampling.spaces.range_types import (
    Choice,
    FloatRange,
    IntRange,
    Range,
    ZeroOrFloatRange,
    settings_of_parameters,
)
from nlb_search.search.scoring.negative_scores import negative_score_warning
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import StudyStatus
from nlb_search.search.trials.expected_gain import LEAST_TRIALS
from nlb_search.search.trials.trial_scores import complete_trials

EDGE = 0.1
"""Fraction of a range, on its scale, that counts as its edge."""

LEAST_BEST = 3
"""Number of best trials that must agree before a range is called too narrow."""


def next_steps(study: OpenStudy, status: StudyStatus, ties: Ties) -> list[str]:
    """Sentences, the most important first. Each names what it is based on and the command to use."""
    return [*_before_more_trials(status), *_search_more(study, status), *_choose(study, status, ties)]


def _before_more_trials(status: StudyStatus) -> Iterator[str]:
    if status.best is not None and (warning := negative_score_warning(status.best.value)) is not None:
        yield f"{warning}."
    if status.states["fail"]:
        reason = status.failures[-1] if status.failures else "an unknown reason"
        count = status.states["fail"]
        yield f"{count} trial{'s' if count > 1 else ''} failed, the last with: {reason}."
    if not status.is_finished:
        yield f"The budget is not met: continue with `nlb-search resume {status.study}`."


def _search_more(study: OpenStudy, status: StudyStatus) -> Iterator[str]:
    if status.best_near_last_epoch:
        yield (
            f"The best trial improved until the end of its {status.spec.epochs} epochs: compare it with a new study of "
            f"longer trials, for example `--epochs {3 * status.spec.epochs}`."
        )
    yield from _narrow_ranges(study, status)
    more = f"`nlb-search resume {status.study} --trials {2 * status.budget}`"
    if status.expected_gain is not None:
        gain = f"{status.expected_gain:.4f}"
        yield f"As many trials again are expected to increase the best score on val by {gain}: {more}."
    elif status.finished < LEAST_TRIALS:
        yield f"{status.finished} finished trials say little about the space: {more}."
    if len(status.spec.architectures) == 1:
        yield "Only one chain was searched. Another chain may suit the recording better: add it with a second `--arch`."


def _narrow_ranges(study: OpenStudy, status: StudyStatus) -> Iterator[str]:
    """Settings whose best values, all of them, are at one edge of the range."""
    if status.best is None:
        return
    chain = study.spec.architecture_of(status.best.params)
    of_chain = [one for one in complete_trials(study.study) if study.spec.architecture_of(one.params) == chain]
    best = of_chain[: max(LEAST_BEST, len(of_chain) // 4)]
    if len(best) == len(of_chain):
        return  # with so few trials, the best ones show what was sampled, not what is good
    for name, values in _values(best).items():
        edge = _edge_of(study.spec.space[name], values) if name in study.spec.space else None
        if edge is not None:
            yield (
                f"The {len(best)} best trials of the best chain have `{name}` at the {edge} end of its range "
                f"({study.spec.space[name]}): widen it there in a `--space` file."
            )


def _values(trials: Sequence[FrozenTrial]) -> dict[str, list[Any]]:
    settings = [settings_of_parameters(trial.params) for trial in trials]
    return {name: [each[name] for each in settings] for name in settings[0] if all(name in each for each in settings)}


def _edge_of(allowed: Range, values: Sequence[Any]) -> str | None:
    """``lower`` or ``upper`` if all values are at this end of the range and it can be widened there, otherwise None."""
    match allowed:
        case Choice(values=choices):
            numbers = sorted(one for one in choices if isinstance(one, int | float) and not isinstance(one, bool))
            if len(numbers) < len(choices) or len(numbers) < LEAST_BEST:
                return None
            positions, lowest = [numbers.index(one) / (len(numbers) - 1) for one in values], numbers[0]
        case FloatRange() | IntRange() | ZeroOrFloatRange():
            if 0 in values:
                return None
            scale = float if isinstance(allowed, FloatRange) and not allowed.log else math.log
            width = (scale(allowed.high) - scale(allowed.low)) or 1.0
            positions, lowest = [(scale(one) - scale(allowed.low)) / width for one in values], allowed.low
    if min(positions) >= 1 - EDGE:
        return "upper"
    return "lower" if max(positions) <= EDGE and lowest not in (0, 1) else None


def _choose(study: OpenStudy, status: StudyStatus, ties: Ties) -> Iterator[str]:
    name = status.study
    if ties.trials and RESCORING_KEY not in study.study.user_attrs:
        tied = "1 trial is" if len(ties.trials) == 1 else f"{len(ties.trials)} trials are"
        yield (
            f"{tied} statistically tied with the best: compare by cross-validation with `nlb-search rescore {name}`."
        )
    if status.spec.has_own_objectives and len(status.front) > 1:
        yield (
            f"{len(status.front)} trials are on the Pareto front: export the best in an objective, for example with "
            f"`nlb-search export-best {name} --by {status.spec.objectives[-1]} --out submission.h5`."
        )
    has_refits = any(study.checkpoints.folder.glob("trial-*-refit-*.safetensors"))
    if status.states["complete"] > 1 and not has_refits:
        yield (
            "No ensemble was trained yet for the test phase. An ensemble often scores higher than the "
            f"best trial: `nlb-search export-best {name} --phase test --out submission.h5`."
        )
