"""The Pareto front of a study's objectives as a chart."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.charts.chart import BLACK, GREY, VERMILLION, Chart, Kind, Panel, Series, single
from nlb_search.search.objectives import ObjectiveName, is_minimized
from nlb_search.search.publishing.score_charts import is_wide
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.pareto_front import pareto_front

_ABOVE = 0.26
"""Distance of a written value from its axis, as a fraction of the distance between axes."""


def pareto_charts(study: OpenStudy) -> list[Chart]:
    """One chart, if the study has several objectives and a complete trial.

    Two objectives are the axes of a plane. More are parallel axes, each with the better values at the right.
    """
    objectives = study.spec.objectives
    complete = study.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(objectives) < 2 or not complete:
        return []
    front = pareto_front(complete, objectives)
    numbers = {trial.number for trial in front}
    others = [trial for trial in complete if trial.number not in numbers]
    draw = _plane if len(objectives) == 2 else _parallel
    note = f"{len(front)} of {len(complete)} complete trials are on the front"
    return [single("front", f"{study.name}: Pareto front", draw(objectives, front, others), note)]


def _plane(objectives: Sequence[ObjectiveName], front: list[FrozenTrial], others: list[FrozenTrial]) -> Panel:
    """The first objective against the second."""
    y_name, x_name = objectives

    def series(kind: Kind, trials: list[FrozenTrial], name: str, color: str, width: float = 1.5) -> Series:
        y, x = ([trial.values[axis] for trial in trials] for axis in (0, 1))
        return Series(kind, x, y, name, color, width, text=[f"trial {trial.number}" for trial in trials])

    shown = [series("scatter", others, "other complete trials", GREY)] if others else []
    # The front is in the order of the first objective, and so in that of the second.
    shown += [series("line", front, "", BLACK, 1), series("scatter", front, "Pareto front", VERMILLION)]
    sizes = [trial.values[1] for trial in (*front, *others)]
    return Panel(tuple(shown), "", x_name, y_name, log_x=x_name == "n-parameters" and is_wide(sizes))


def _parallel(objectives: Sequence[ObjectiveName], front: list[FrozenTrial], others: list[FrozenTrial]) -> Panel:
    """A line for each trial through its values; the first objective is the axis at the top."""
    names = tuple(objectives[::-1])
    trials = [*others, *front]
    columns = list(zip(*(trial.values for trial in trials), strict=True))[::-1]
    ends = [_worst_and_best(column, name) for column, name in zip(columns, names, strict=True)]
    positions = [
        [(value - worst) / ((best - worst) or 1.0) for value in column]
        for column, (worst, best) in zip(columns, ends, strict=True)
    ]
    heights, legend = range(len(names)), {0: "other complete trials", len(others): "Pareto front"}
    series = []
    for rank, (trial, x) in enumerate(zip(trials, zip(*positions, strict=True), strict=True)):
        color, width = (VERMILLION, 1.8) if rank >= len(others) else (GREY, 0.7)
        text = [f"trial {trial.number}"] * len(names)
        series.append(Series("line", x, heights, legend.get(rank, ""), color, width, text=text))
    for height, (name, worst_and_best) in enumerate(zip(names, ends, strict=True)):
        form = ",.0f" if name == "n-parameters" else ".4g"
        text = [f"{value:{form}}" for value in worst_and_best]
        series.append(Series("text", [0.0, 1.0], [height + _ABOVE] * 2, color=BLACK, text=text))
    return Panel(tuple(series), "", "position between the worst and the best value", categories=names)


def _worst_and_best(values: Sequence[float], objective: ObjectiveName) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (high, low) if is_minimized(objective) else (low, high)
