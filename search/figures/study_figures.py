"""Figures of a study: history of the search, learning curves, and scores by setting."""

from itertools import accumulate
from pathlib import Path
from typing import Any

import optuna
import plotly.graph_objects as go
from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.errors import SearchError
from nlb_search.search.figures.study_table import metrics_as_text
from nlb_search.search.sampling.ranges import settings_of_parameters
from nlb_search.search.scoring.ties import find_ties
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.trial_scores import complete_trials
from nlb_search.storage.atomic_files import whole_file

_COMPLETE, _PRUNED, _TIE, _BEST = "#1f77b4", "#b0b0b0", "#ff7f0e", "#d62728"
_LAYOUT = {"template": "simple_white", "font": {"size": 14}, "legend": {"orientation": "h", "y": -0.2}}


def history(study: OpenStudy) -> go.Figure:
    """co-bps of every finished trial by trial number, with its confidence interval, and the best value so far.

    Trials tied with the best have a separate colour.
    """
    trials = [trial for trial in study.study.get_trials(deepcopy=False) if trial.value is not None]
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best, ties = set(_numbers(complete_trials(study.study)[:1])), find_ties(study)
    tied = set(ties.numbers or ())
    figure = go.Figure(layout=_LAYOUT)
    for name, color, shown in (
        ("pruned", _PRUNED, [trial for trial in trials if trial.state == TrialState.PRUNED]),
        ("complete", _COMPLETE, [trial for trial in complete if trial.number not in best | tied]),
        ("tied with the best", _TIE, [trial for trial in complete if trial.number in tied]),
        ("best", _BEST, [trial for trial in complete if trial.number in best]),
    ):
        figure.add_scatter(
            x=_numbers(shown),
            y=[trial.value for trial in shown],
            error_y=_range_bars(shown),
            text=[_metrics(trial) + _settings(trial) for trial in shown],
            mode="markers",
            marker={"color": color, "size": 9},
            name=name,
        )
    figure.add_scatter(
        x=_numbers(complete),
        y=list(accumulate((trial.value or 0.0 for trial in complete), max)),
        mode="lines",
        line={"color": _BEST, "shape": "hv"},
        name="best so far",
    )
    title = f"{study.name}: history"
    if ties.note:
        title += f"<br><sup>Trials tied with the best may be missing: {ties.note}</sup>"
    return figure.update_layout(title=title, xaxis_title="trial", yaxis_title="co-bps on val")


def curves(study: OpenStudy) -> go.Figure:
    """co-bps on val at each evaluation of every trial; the best trial's curve is highlighted."""
    trials = [trial for trial in study.study.get_trials(deepcopy=False) if trial.intermediate_values]
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = max(complete, key=lambda trial: trial.value or 0.0, default=None)
    figure = go.Figure(layout=_LAYOUT)
    for trial in trials:
        epochs, scores = zip(*sorted(trial.intermediate_values.items()), strict=True)
        color = _BEST if trial is best else _COMPLETE if trial.state == TrialState.COMPLETE else _PRUNED
        figure.add_scatter(
            x=epochs,
            y=scores,
            mode="lines",
            line={"color": color, "width": 3 if trial is best else 1},
            name=f"trial {trial.number}",
            text=_settings(trial),
            showlegend=trial is best,
        )
    return figure.update_layout(
        title=f"{study.name}: learning curves", xaxis_title="epoch", yaxis_title="co-bps on val"
    )


def write_figures(study: OpenStudy, out: Path) -> list[Path]:
    """Write every figure as a separate HTML page, which needs no network, and return their paths.

    Raises SearchError if the study has no finished trial, or if the folder cannot be written.
    """
    if not any(trial.state.is_finished() for trial in study.study.get_trials(deepcopy=False)):
        raise SearchError(f"the study '{study.name}' has no finished trial yet: there is nothing to plot")
    figures = {
        "history": history(study),
        "curves": curves(study),
        "settings": optuna.visualization.plot_slice(study.study, target_name="co-bps on val"),
    }
    try:
        return [_write(figure, out / f"{name}.html") for name, figure in figures.items()]
    except OSError as error:
        raise SearchError(f"cannot write figures to {out}: {error.strerror or error}") from error


def _write(figure: go.Figure, path: Path) -> Path:
    with whole_file(path) as part:
        figure.write_html(part)
    return path


def _numbers(trials: list[FrozenTrial]) -> list[int]:
    return [trial.number for trial in trials]


def _range_bars(trials: list[FrozenTrial]) -> dict[str, Any]:
    """Error bars for the confidence intervals of the trials' co-bps; none for a trial without an interval."""
    ranges = [
        (trial.user_attrs.get("co_bps_low"), trial.value, trial.user_attrs.get("co_bps_high")) for trial in trials
    ]
    return {
        "array": [None if high is None else high - value for _, value, high in ranges],
        "arrayminus": [None if low is None else value - low for low, value, _ in ranges],
        "thickness": 1,
    }


def _metrics(trial: FrozenTrial) -> str:
    return "".join(f"{metric} {value}<br>" for metric, value in metrics_as_text(trial.user_attrs))


def _settings(trial: FrozenTrial) -> str:
    return "<br>".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in settings_of_parameters(trial.params).items()
    )
