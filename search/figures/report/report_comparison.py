"""What the report compares the best trial with: trial 0, the ceiling, baselines, and published scores."""

from collections.abc import Sequence

from optuna.trial import TrialState

from nlb_search.data.ceiling import find_ceiling
from nlb_search.data.errors import DataError
from nlb_search.search.errors import SearchError
from nlb_search.search.figures.report.published_scores import Published, published_scores
from nlb_search.search.scoring.smoothing_score import smoothing_co_bps
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import BestTrial, StudyStatus
from nlb_search.search.study.study_ceiling import known_ceiling, share_of_ceiling
from nlb_search.search.trials.trial_scores import score_of

Rows = list[tuple[str, ...]]


def comparison(study: OpenStudy, status: StudyStatus) -> Rows:
    """Pairs of what is compared and its co-bps on val."""
    first = study.study.get_trials(deepcopy=False)[0]
    settings = "" if status.spec.sampler == "grid" else " (default settings)"
    is_complete = first.state == TrialState.COMPLETE
    best = status.best
    rows: Rows = [
        ("best trial", "none" if best is None else f"{best.value:.4f}"),
        (
            f"trial 0{settings}",
            f"{score_of(first):.4f}" if is_complete else f"not complete: {first.state.name.lower()}",
        ),
        ("smoothing baseline (Pei et al. 2021)", _smoothing(study, best)),
        ("chance: each neuron's mean rate", "0"),
    ]
    ceiling = known_ceiling(study)
    if ceiling is not None:
        share = "" if best is None else f"; {share_of_ceiling(best, ceiling)}"
        rows.insert(0, ("ceiling: the true model of this synthetic recording", f"{ceiling.co_bps_val:.4f}{share}"))
    return rows


def published(study: OpenStudy) -> tuple[Published, ...]:
    """Published scores of the recording; empty if there are none, also for synthetic recordings."""
    if find_ceiling(study.spec.dataset, study.locations.data) is not None:
        return ()
    return published_scores(study.spec.dataset, study.spec.bin_ms)


def published_rows(scores: Sequence[Published]) -> Rows:
    """Published scores, with a row of names first."""
    rows: Rows = [("model", "split", "co-bps", "vel R2", "fp-bps")]
    return rows + [(one.model, one.split, *map(_score, (one.co_bps, one.vel_r2, one.fp_bps))) for one in scores]


def _score(value: float | None) -> str:
    return "not given" if value is None else f"{value:.4f}"


def _smoothing(study: OpenStudy, best: BestTrial | None) -> str:
    try:
        recording = study.recording()
    except (SearchError, DataError) as error:
        return f"unknown: {error}"
    co_bps = smoothing_co_bps(recording)
    is_better = best is not None and best.value < co_bps
    return f"{co_bps:.4f}{': better than the best trial, so train longer trials' if is_better else ''}"
