"""Charts of a study's scores: its best score over time, and its chains compared."""

from collections.abc import Sequence
from itertools import accumulate

from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.charts.chart import BLACK, BLUE, GREY, PALETTE, VERMILLION, Chart, Panel, Series, single
from nlb_search.search.sampling.spaces.range_types import settings_to_show
from nlb_search.search.scoring.metric_names import metrics_as_text
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.trials.trial_scores import final_score, score_of

CO_BPS = "co-bps on val"

LOGARITHMIC_RANGE = 5
"""Minimum ratio of the largest to the smallest number for a logarithmic axis."""


def best_over_time(study: OpenStudy) -> Chart:
    """The best co-bps against the time since the first trial started, with every finished trial."""
    trials = sorted(finished_trials(study), key=_ended)
    started = min((trial.datetime_start.timestamp() for trial in trials if trial.datetime_start), default=0.0)
    minutes = [(_ended(trial) - started) / 60 for trial in trials]
    states = {TrialState.PRUNED: ("pruned", GREY), TrialState.COMPLETE: ("complete", BLUE)}
    points = [
        scatter([(x, trial) for x, trial in zip(minutes, trials, strict=True) if trial.state == state], name, color)
        for state, (name, color) in states.items()
        if any(trial.state == state for trial in trials)
    ]
    complete = [
        (x, score_of(trial)) for x, trial in zip(minutes, trials, strict=True) if trial.state == TrialState.COMPLETE
    ]
    # The line continues to the last trial, even if that was pruned: nothing better was found until then.
    complete += [(minutes[-1], value) for _, value in complete[-1:]]
    best = Series(
        "step",
        [x for x, _ in complete],
        list(accumulate((value for _, value in complete), max)),
        name="best so far",
        color=VERMILLION,
        width=2,
    )
    panel = Panel((*points, best), "", "time since the first trial (minutes)", CO_BPS)
    return single("time", f"{study.name}: best score over time", panel)


def chains_compared(study: OpenStudy) -> Chart:
    """co-bps of every complete trial against its number of parameters, by chain, with confidence intervals.

    The line is the Pareto front: the best co-bps with at most this many parameters.
    """
    complete = [
        trial
        for trial in finished_trials(study)
        if trial.state == TrialState.COMPLETE and "n_parameters" in trial.user_attrs
    ]
    complete.sort(key=lambda trial: trial.user_attrs["n_parameters"])
    sizes = [trial.user_attrs["n_parameters"] for trial in complete]
    front = list(accumulate(map(score_of, complete), max))
    points = [
        scatter(
            [
                (size, trial)
                for size, trial in zip(sizes, complete, strict=True)
                if study.spec.architecture_of(trial.params) == chain
            ],
            chain,
            PALETTE[number % len(PALETTE)],
        )
        for number, chain in enumerate(study.spec.architectures)
    ]
    series = (*(one for one in points if one.x), Series("step", sizes, front, "Pareto front", BLACK, 1))
    panel = Panel(series, "", "number of parameters", CO_BPS, log_x=is_wide(sizes))
    return single("chains", f"{study.name}: chains, complete trials", panel)


def is_wide(numbers: Sequence[float]) -> bool:
    """Whether a logarithmic axis suits positive numbers. It has ticks at 1, 2 and 5: a narrow range may have none."""
    return bool(numbers) and max(numbers) >= LOGARITHMIC_RANGE * min(numbers)


def scatter(points: Sequence[tuple[float, FrozenTrial]], name: str, color: str) -> Series:
    """Trials at ``x`` with their co-bps and its confidence interval, if they have one."""
    trials = [trial for _, trial in points]
    return Series(
        "scatter",
        [x for x, _ in points],
        [final_score(trial) or 0.0 for trial in trials],
        name=name,
        color=color,
        low=[trial.user_attrs.get("co_bps_low") for trial in trials],
        high=[trial.user_attrs.get("co_bps_high") for trial in trials],
        text=[_facts(trial) for trial in trials],
    )


def _facts(trial: FrozenTrial) -> str:
    """A trial's number, metrics and settings, one per line of HTML."""
    lines = [f"trial {trial.number}", *(f"{metric} {value}" for metric, value in metrics_as_text(trial.user_attrs))]
    for name, value in settings_to_show(trial.params, trial.user_attrs).items():
        lines.append(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}")
    return "<br>".join(lines)


def finished_trials(study: OpenStudy) -> list[FrozenTrial]:
    """Complete and pruned trials that have a score, in order of their numbers."""
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    return [trial for trial in study.study.get_trials(deepcopy=False, states=states) if final_score(trial) is not None]


def _ended(trial: FrozenTrial) -> float:
    assert trial.datetime_complete is not None  # a finished trial has one
    return trial.datetime_complete.timestamp()
