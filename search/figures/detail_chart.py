"""A chart of the details of a submission's co-bps: each held-out neuron, and readouts fitted on few trials."""

import math
from collections.abc import Mapping

from nlb_search.search.charts.chart import BLUE, GREY, ORANGE, Chart, Panel, Series
from nlb_search.search.scoring.bootstrap import CONFIDENCE_PERCENT
from nlb_search.search.scoring.few_shot import DRAWS
from nlb_search.search.submission.detail import Detail


def detail_chart(name: str, details: Mapping[str, Detail]) -> Chart:
    """The details of the groups of the submission ``name``, one row of panels each."""
    rows = tuple(
        (_neurons(group, detail, is_first=row == 0), _few_shot(detail, is_first=row == 0))
        for row, (group, detail) in enumerate(details.items())
    )
    note = (
        f"Intervals: {CONFIDENCE_PERCENT}% bootstrap over trials; few-shot: standard deviation over {DRAWS} draws of "
        "trials"
    )
    return Chart("detail", f"{name}: co-bps of held-out neurons", rows, note)


def _neurons(group: str, detail: Detail, is_first: bool) -> Panel:
    """co-bps of each neuron that has spikes, highest first, and of all together."""
    known = sorted((one for one in detail.neurons if not math.isnan(one.co_bps)), key=lambda one: -one.co_bps)
    places = list(range(1, len(known) + 1))
    ends = [1, max(2, len(known))]
    neurons = Series(
        "scatter",
        places,
        [one.co_bps for one in known],
        "one neuron" * is_first,
        BLUE,
        low=[one.interval.low for one in known],
        high=[one.interval.high for one in known],
        text=[f"neuron {one.unit}, {one.spikes} spikes" for one in known],
    )
    return Panel(
        (*_all_neurons(detail, ends, is_first), neurons), group, "held-out neuron, highest score first", "co-bps"
    )


def _few_shot(detail: Detail, is_first: bool) -> Panel:
    """co-bps of readouts by the number of trials that they are fitted on, beside that of the submission itself."""
    shots = detail.few_shot
    if not shots:
        return Panel((), "too few trials for a readout")
    readouts = Series(
        "scatter",
        [one.trials for one in shots],
        [one.mean for one in shots],
        "readout fitted on few trials" * is_first,
        ORANGE,
        low=[one.mean - one.sd for one in shots],
        high=[one.mean + one.sd for one in shots],
    )
    ends = [shots[0].trials, max(2 * shots[0].trials, shots[-1].trials)]
    lines = _all_neurons(detail, ends, is_first=False)
    return Panel((*lines, readouts), "few-shot", "trials that the readout is fitted on")


def _all_neurons(detail: Detail, ends: list[int], is_first: bool) -> tuple[Series, ...]:
    """Horizontal lines at the co-bps of the submission and at the ends of its interval."""
    interval = detail.interval
    return (
        Series("line", ends, [detail.co_bps] * 2, "all held-out neurons" * is_first, GREY, 2.0),
        Series("line", ends, [interval.low] * 2, color=GREY, width=0.8),
        Series("line", ends, [interval.high] * 2, color=GREY, width=0.8),
    )
