"""Charts of a study's trials: history, learning curves, and the importance of settings within a chain."""

import warnings
from itertools import accumulate

import optuna
from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.charts.chart import BLUE, GREY, ORANGE, VERMILLION, Chart, Panel, Series, single
from nlb_search.search.networks.ties import find_ties
from nlb_search.search.publishing.score_charts import CO_BPS, finished_trials, scatter
from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.trials.trial_scores import complete_trials, score_of

FEWEST_TRIALS = 10
"""Number of complete trials of a chain below which the importance of its settings is not estimated."""


def history(study: OpenStudy) -> Chart:
    """co-bps of every finished trial by trial number, with its confidence interval, and the best value so far."""
    trials, ties = finished_trials(study), find_ties(study)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = {trial.number for trial in complete_trials(study.study)[:1]}
    tied = set(ties.numbers or ())
    kinds = (
        ("pruned", GREY, [trial for trial in trials if trial.state == TrialState.PRUNED]),
        ("complete", BLUE, [trial for trial in complete if trial.number not in best | tied]),
        ("tied with the best", ORANGE, [trial for trial in complete if trial.number in tied]),
        ("best", VERMILLION, [trial for trial in complete if trial.number in best]),
    )
    points = [scatter([(trial.number, trial) for trial in shown], name, color) for name, color, shown in kinds if shown]
    scores = [(trial.number, score_of(trial)) for trial in complete]
    # The line continues to the last trial, even if that was pruned: nothing better was found until then.
    scores += [(trials[-1].number, value) for _, value in scores[-1:]]
    best_so_far = Series(
        "step",
        [number for number, _ in scores],
        list(accumulate((value for _, value in scores), max)),
        name="best so far",
        color=VERMILLION,
    )
    note = f"Trials tied with the best may be missing: {ties.note}" if ties.note else ""
    return single("history", f"{study.name}: history", Panel((*points, best_so_far), "", "trial", CO_BPS), note)


def curves(study: OpenStudy) -> Chart:
    """co-bps on val at each evaluation of every trial; the best trial's curve is highlighted."""
    best = next(iter(complete_trials(study.study)), None)
    trials = [trial for trial in study.study.get_trials(deepcopy=False) if trial.intermediate_values]
    # The best curve is drawn last, over the others.
    trials.sort(key=lambda trial: (trial is best, trial.state == TrialState.COMPLETE))
    named: set[str] = set()
    series = []
    for trial in trials:
        name, color, width = _kind(trial, best)
        epochs = sorted(trial.intermediate_values)
        scores = [trial.intermediate_values[epoch] for epoch in epochs]
        series.append(Series("line", epochs, scores, "" if name in named else name, color, width))
        named.add(name)
    return single("curves", f"{study.name}: learning curves", Panel(tuple(series), "", "epoch", CO_BPS))


def _kind(trial: FrozenTrial, best: FrozenTrial | None) -> tuple[str, str, float]:
    if best is not None and trial.number == best.number:
        return f"best (trial {trial.number})", VERMILLION, 2.5
    return ("complete", BLUE, 1.0) if trial.state == TrialState.COMPLETE else ("not complete", GREY, 0.8)


def importances(study: OpenStudy) -> list[Chart]:
    """The importance of settings for co-bps, by fANOVA (Hutter et al. 2014), for each chain with enough trials.

    Chains are separate because they have different settings, and the difference between chains would hide the others.
    """
    complete = complete_trials(study.study)
    charts = []
    for number, chain in enumerate(study.spec.architectures):
        of_chain = [trial for trial in complete if study.spec.architecture_of(trial.params) == chain]
        if len(of_chain) >= FEWEST_TRIALS and len(set(map(score_of, of_chain))) > 1:
            charts.append(_importance(f"importance-{number}", chain, of_chain))
    return charts


def _importance(name: str, chain: str, trials: list[FrozenTrial]) -> Chart:
    within = optuna.create_study(direction="maximize")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for trial in trials:
            settings = {key: value for key, value in trial.params.items() if key != ARCHITECTURE}
            ranges = {key: trial.distributions[key] for key in settings}
            within.add_trial(optuna.create_trial(value=score_of(trial), params=settings, distributions=ranges))
        shares = optuna.importance.get_param_importances(within)
    ascending = sorted(shares.items(), key=lambda item: item[1])
    bars = Series("barh", [share for _, share in ascending], list(range(len(ascending))))
    names = tuple(key for key, _ in ascending)
    panel = Panel((bars,), "", "fraction of the variance of co-bps on val", categories=names)
    return single(name, f"Importance of settings for {chain}", panel, f"fANOVA of {len(trials)} complete trials")
