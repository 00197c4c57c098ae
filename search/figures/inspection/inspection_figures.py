"""Figures of a recording: rasters of val trials, mean rates, rates over the window and the session, and counts."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from nlb_search.data.inspection.survey import Floats, Survey
from nlb_search.data.recording import UNSEEN, Recording

# Okabe and Ito's palette for colour-blind readers (https://jfly.uni-koeln.de/color).
_HELDIN, _HELDOUT = "#0072B2", "#D55E00"
_SPLITS = {"train": "#56B4E9", "val": "#E69F00", "test": "#009E73"}
_FORWARD, _UNSEEN = "#CC79A7", "#c8c8c8"
_LAYOUT = {
    "template": "simple_white",
    "font": {"size": 13},
    "margin": {"l": 70, "r": 20, "t": 70, "b": 55},
    "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    "title": {"x": 0, "xref": "paper", "font": {"size": 16}, "y": 0.97, "yanchor": "top"},
}
RASTERS = 6
"""Number of val trials to choose from, spaced evenly."""
_RATE_STEPS = 4
"""Number of histogram bars per doubling of the rate."""
_STEP_MS = 20
"""Bins are averaged to about this width, in ms, to reduce noise."""
_RUN = 25
"""Number of trials in the running median."""


def raster(recording: Recording) -> go.Figure:
    """Counts of one val trial at a time, neurons by bins; held-out neurons and forward bins are shaded."""
    val, n_neurons = recording.val, recording.n_heldin + recording.n_heldout
    trials = np.unique(np.linspace(0, val.n_trials - 1, RASTERS).round().astype(int))
    counts_BTN = val.counts[trials]
    has_gaps = bool((counts_BTN == UNSEEN).any())
    highest = max(1, int(counts_BTN.max(initial=0, where=counts_BTN != UNSEEN)))
    figure = go.Figure(layout=_LAYOUT)
    for counts_TN in counts_BTN:
        seen_NT = np.where(counts_TN.T == UNSEEN, np.nan, counts_TN.T).astype(np.float32)
        figure.add_heatmap(
            z=seen_NT,
            x=_times(recording, counts_TN.shape[0]),
            y=np.arange(n_neurons),
            zmin=0,
            zmax=highest,
            colorscale=[[0, "white"], [0.5 / highest, "white"], [0.5 / highest, "#6e6e6e"], [1, "black"]],
            colorbar={
                "title": {"text": "spikes<br>per bin"},
                "dtick": max(1, highest // 4),
                "thickness": 14,
                "len": 0.5,
            },
            hovertemplate="neuron %{y}, %{x} ms: %{z} spikes<extra></extra>",
            visible=not figure.data,
        )
    buttons = [
        {"label": f"val trial {trial}", "method": "update", "args": [{"visible": [trial == one for one in trials]}]}
        for trial in trials
    ]
    _shade(figure, recording)
    height = max(460, min(900, 160 + 4 * n_neurons))
    above = 1 + 28 / (height - 150)  # above the labels of the parts
    return figure.update_layout(
        title="Spikes of one trial of val" + "<br><sup>grey: not recorded, or not scored</sup>" * has_gaps,
        xaxis={"title": "time from the start of the window (ms)"},
        yaxis={"title": "neuron", "autorange": "reversed"},
        plot_bgcolor=_UNSEEN,
        height=height,
        margin={"l": 70, "r": 130, "t": 95, "b": 55},
        updatemenus=[{"buttons": buttons, "x": 1, "xanchor": "right", "y": above, "yanchor": "bottom"}],
    )


def _shade(figure: go.Figure, recording: Recording) -> None:
    """Shade held-out rows and forward columns, and label the four parts outside the heatmap."""
    n_neurons = recording.n_heldin + recording.n_heldout
    first, last = -0.5, n_neurons - 0.5
    border = recording.n_heldin - 0.5
    start, end = (
        bins * recording.bin_ms
        for bins in (recording.n_window_bins, recording.n_window_bins + recording.n_forward_bins)
    )
    shade: dict[str, Any] = {"opacity": 0.18, "line_width": 0, "layer": "above"}
    figure.add_shape(type="rect", x0=0, x1=end, y0=border, y1=last, fillcolor=_HELDOUT, **shade)
    if recording.n_forward_bins:
        figure.add_shape(type="rect", x0=start, x1=end, y0=first, y1=last, fillcolor=_FORWARD, **shade)
    for text, color, middle in (
        ("held-in", _HELDIN, (first + border) / 2),
        ("held-out", _HELDOUT, (border + last) / 2),
    ):
        beside: dict[str, Any] = {"xref": "paper", "x": 1.005, "xanchor": "left", "textangle": 90}
        figure.add_annotation(text=f"<b>{text}</b>", y=middle, font={"color": color}, showarrow=False, **beside)
    for text, color, middle in (("window", "#24292f", start / 2), ("forward bins", _FORWARD, (start + end) / 2)):
        if middle < end:
            above: dict[str, Any] = {"yref": "paper", "y": 1.0, "yanchor": "bottom"}
            figure.add_annotation(text=f"<b>{text}</b>", x=middle, font={"color": color}, showarrow=False, **above)


def rates(survey: Survey) -> go.Figure:
    """Histogram of the mean rates of held-in and held-out neurons, on a logarithmic axis."""
    n_heldin, rates_N = survey.recording.n_heldin, survey.rates_N
    firing = rates_N[rates_N > 0]
    figure = go.Figure(layout=_LAYOUT)
    if firing.size:
        steps = np.arange(
            np.floor(np.log2(firing.min()) * _RATE_STEPS), np.floor(np.log2(firing.max()) * _RATE_STEPS) + 2
        )
        edges = 2 ** (steps / _RATE_STEPS)
        for name, color, of_kind in (
            ("held-in", _HELDIN, rates_N[:n_heldin]),
            ("held-out", _HELDOUT, rates_N[n_heldin:]),
        ):
            figure.add_bar(
                x=np.log2(edges[:-1] * edges[1:]) / 2,
                y=np.histogram(of_kind[of_kind > 0], edges)[0],
                customdata=np.stack([edges[:-1], edges[1:]], axis=1),
                hovertemplate="%{y} neurons at %{customdata[0]:.2f} to %{customdata[1]:.2f} spikes/s",
                name=name,
                marker_color=color,
            )
        ticks = [tick for tick in (0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if edges[0] <= tick <= edges[-1]]
        named = ticks or edges.tolist()
        figure.update_xaxes(tickvals=np.log2(named), ticktext=[f"{tick:.3g}" for tick in named])
    return figure.update_layout(
        title=f"Mean rates of the {firing.size} neurons that fire",
        barmode="stack",
        bargap=0.05,
        legend_traceorder="normal",
        xaxis_title="mean rate (spikes/s)",
        yaxis_title="neurons",
    )


def over_window(survey: Survey) -> go.Figure:
    """Mean rate of held-in neurons over the window and the forward bins, for each split."""
    recording = survey.recording
    step = max(1, _STEP_MS // recording.bin_ms)
    figure = go.Figure(layout=_LAYOUT)
    for name, sums in survey.splits.items():
        rates_T = survey.rates_T(sums)
        times, means = _steps(_times(recording, len(rates_T)), step), _steps(rates_T, step)
        figure.add_scatter(x=times, y=means, mode="lines", name=name, line={"color": _SPLITS[name], "width": 2.5})
    if recording.n_forward_bins:
        start = recording.n_window_bins * recording.bin_ms
        figure.add_vrect(
            x0=start,
            x1=start + recording.n_forward_bins * recording.bin_ms,
            fillcolor=_FORWARD,
            opacity=0.15,
            line_width=0,
            annotation={"text": "forward bins", "font": {"color": _FORWARD}},
            annotation_position="bottom right",
        )
    return figure.update_layout(
        title=f"Population rate over the window, in steps of {step * recording.bin_ms} ms",
        xaxis_title="time from the start of the window (ms)",
        yaxis={"title": "spikes/s per held-in neuron", "rangemode": "tozero"},
    )


def over_trials(survey: Survey) -> go.Figure:
    """Mean rate of held-in neurons in each trial's window, in the order of the trials, to show drift."""
    figure = go.Figure(layout=_LAYOUT)
    positions = {
        "train": survey.order.train,
        "val": survey.order.val,
        "test": survey.train_val.n_trials + np.arange(survey.test.n_trials if survey.test else 0),
    }
    for name, sums in survey.splits.items():
        figure.add_scatter(
            x=positions[name],
            y=survey.rates_B(sums),
            mode="markers",
            name=name,
            marker={"color": _SPLITS[name], "size": 5, "opacity": 0.75},
        )
    rates_B = survey.rates_B(survey.train_val)
    if survey.order.is_known and len(rates_B) >= 2 * _RUN:
        figure.add_scatter(
            x=np.arange(len(rates_B)),
            y=_running_median(rates_B),
            mode="lines",
            name=f"median of {_RUN} trials",
            line={"color": "black", "width": 2},
        )
    # If val follows train, that may be the order of recording, or arrays without times were concatenated.
    is_mixed = survey.order.is_known and positions["val"].min() < positions["train"].max()
    order = "train and val as recorded, then test" if is_mixed else "one split after another"
    return figure.update_layout(
        title="Population rate over trials",
        xaxis_title=f"trial ({order})",
        yaxis={"title": "spikes/s per held-in neuron", "rangemode": "tozero"},
    )


def counts(survey: Survey) -> go.Figure:
    """Histogram of the counts per bin of train and val, for held-in and held-out neurons, on a logarithmic axis."""
    figure = go.Figure(layout=_LAYOUT)
    for name, color, histogram in (
        ("held-in", _HELDIN, survey.train.heldin_histogram + survey.val.heldin_histogram),
        ("held-out", _HELDOUT, survey.train.heldout_histogram + survey.val.heldout_histogram),
    ):
        n_counts = np.flatnonzero(histogram).max(initial=0) + 1
        figure.add_bar(
            x=np.arange(n_counts),
            y=histogram[:n_counts] / max(1, histogram.sum()),
            customdata=histogram[:n_counts],
            hovertemplate="%{x} spikes in %{customdata} bins (%{y:.2%})",
            name=name,
            marker_color=color,
        )
    return figure.update_layout(
        title=f"Spikes in one bin of {survey.recording.bin_ms} ms",
        xaxis={"title": "spikes in a bin", "tickformat": "d"},
        yaxis={"title": "fraction of bins", "type": "log", "tickformat": "~%", "dtick": 1},
    )


def _times(recording: Recording, n_bins: int) -> Floats:
    """The middle of each bin, in ms from the start of the window."""
    return np.arange(0.5, n_bins, dtype=np.float64) * recording.bin_ms


def _steps(values: Floats, step: int) -> Floats:
    """Means of consecutive groups of ``step`` values."""
    return np.array([values[at : at + step].mean() for at in range(0, len(values), step)], dtype=np.float64)


def _running_median(values: Floats) -> Floats:
    """Running median, over fewer values at both ends."""
    half = _RUN // 2
    medians = [np.nanmedian(values[max(0, at - half) : at + half + 1]) for at in range(len(values))]
    return np.array(medians, dtype=np.float64)
