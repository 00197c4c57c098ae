"""Details of a submission's co-bps as tables for the terminal."""

import math

from rich.console import Group, RenderableType
from rich.table import Table

from nlb_search.search.scoring.bootstrap import CONFIDENCE_PERCENT
from nlb_search.search.scoring.few_shot import DRAWS
from nlb_search.search.submission.detail import Detail


def detail_tables(name: str, detail: Detail) -> RenderableType:
    """The interval of co-bps and few-shot co-bps, then one row for each held-out neuron, best first."""
    return Group(_scores(name, detail), _neurons(detail))


def _scores(name: str, detail: Detail) -> Table:
    table = Table(name, "co-bps", "", box=None, header_style="bold")
    interval = detail.interval
    table.add_row(
        "all held-out neurons",
        f"{detail.co_bps:.4f}",
        f"{interval.low:.4f} to {interval.high:.4f} ({CONFIDENCE_PERCENT}% bootstrap interval)",
    )
    for one in detail.few_shot:
        spread = f"± {one.sd:.4f} (sd over {DRAWS} draws)"
        table.add_row(f"readout fitted on {one.trials} trials", f"{one.mean:.4f}", spread)
    return table


def _neurons(detail: Detail) -> Table:
    table = Table(
        "held-out neuron", "co-bps", f"{CONFIDENCE_PERCENT}% interval", "spikes", box=None, header_style="bold"
    )
    for one in sorted(detail.neurons, key=lambda one: -math.inf if math.isnan(one.co_bps) else one.co_bps)[::-1]:
        if math.isnan(one.co_bps):
            table.add_row(str(one.unit), "no spikes", "", str(one.spikes))
        else:
            interval = f"{one.interval.low:.4f} to {one.interval.high:.4f}"
            table.add_row(str(one.unit), f"{one.co_bps:.4f}", interval, str(one.spikes))
    return table
