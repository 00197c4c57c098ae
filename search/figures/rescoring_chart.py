"""A rescoring as a chart: each finalist's score on val and its scores on the folds."""

from nlb_search.search.charts.chart import BLUE, SKY, VERMILLION, Chart, Panel, Series, single
from nlb_search.search.errors import SearchError
from nlb_search.search.publishing.score_charts import scatter
from nlb_search.search.rescoring.rescoring import rescoring_of
from nlb_search.search.scoring.bootstrap import CONFIDENCE_PERCENT
from nlb_search.search.study.open_study import OpenStudy

_ASIDE = 0.12
"""Distance of the two kinds of scores from the middle of a trial, which are 1 apart."""


def rescoring_chart(study: OpenStudy) -> Chart | None:
    """The finalists of the last rescoring that have a score on every fold, best first; None if there are none."""
    try:
        rescoring = rescoring_of(study)
    except SearchError:
        return None
    ranked = rescoring.ranked
    if not ranked:
        return None
    folds = [(at + _ASIDE, score) for at, one in enumerate(ranked) for score in one.known]
    series = (
        scatter(
            [(at - _ASIDE, one.trial) for at, one in enumerate(ranked)],
            f"val, {CONFIDENCE_PERCENT}% interval",
            VERMILLION,
        ),
        Series("scatter", [x for x, _ in folds], [score for _, score in folds], "each fold", SKY),
        Series(
            "scatter",
            [at + _ASIDE for at in range(len(ranked))],
            [one.mean for one in ranked],
            "mean of the folds",
            BLUE,
            text=[f"trial {one.trial.number}: {one.mean:.4f}, sd of folds {one.spread:.4f}" for one in ranked],
        ),
    )
    numbers = tuple(str(one.trial.number) for one in ranked)
    panel = Panel(series, "", "trial, best over the folds first", "co-bps", x_categories=numbers)
    note = f"Each of {rescoring.splits} folds of train + val is scored by networks trained on the other folds"
    return single("rescoring", f"{study.name}: finalists on val and on folds", panel, note)
