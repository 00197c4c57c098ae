"""Draws a chart with Plotly, for pages and for optuna-dashboard."""

import math
from typing import Any

import plotly.graph_objects as go

from nlb_search.search.charts.chart import Chart, Panel, Series

# Like Plotly's template simple_white, which is ten times as large as a figure and would be stored in every figure.
_LAYOUT: dict[str, Any] = {
    "template": "none",
    "paper_bgcolor": "white",
    "plot_bgcolor": "white",
    "autotypenumbers": "strict",
    "hovermode": "closest",
    "hoverlabel": {"align": "left"},
    "font": {"size": 14, "color": "#242424"},
    "legend": {"orientation": "h", "x": 0, "yanchor": "bottom"},
    "title": {"x": 0, "xref": "paper", "font": {"size": 17}, "y": 1, "yanchor": "top", "pad": {"t": 24}},
}
_AXIS = {
    "automargin": True,
    "linecolor": "#242424",
    "showgrid": False,
    "showline": True,
    "ticks": "outside",
    "zeroline": False,
}
_ROW_GAP, _COLUMN_GAP = 0.12, 0.2
"""Space between two panels, as a fraction of the figure, times the number of rows or columns."""
_SINGLE_HEIGHT, _ROW_HEIGHT, _NAMED_HEIGHT = 480, 170, 28
_TITLE_HEIGHT, _LEGEND_HEIGHT, _PANEL_TITLE_HEIGHT = 68, 22, 22
_MAX_TICKS = 12
"""Maximum number of ticks at integers. For longer axes, Plotly's own ticks are at integers, too."""
_NARROWEST = 520
"""Width of the axes in pixels where optuna-dashboard shows two figures in a row."""


def draw(chart: Chart) -> go.Figure:
    """The chart as a Plotly figure."""
    # One dictionary, which Figure validates once. Adding parts to a Figure takes eight times as long.
    rows, columns = chart.shape
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = _LAYOUT | {"annotations": []}
    for number, panel in enumerate(panel for row in chart.panels for panel in row):
        x_axis, y_axis = _axis_name("x", number), _axis_name("y", number)
        left, right = _part(number % columns, columns, _COLUMN_GAP / columns)
        bottom, top = _part(rows - 1 - number // columns, rows, _ROW_GAP / rows)
        data += [_trace(series) | {"xaxis": x_axis, "yaxis": y_axis} for series in panel.series]
        layout[_axis_name("xaxis", number)] = _x_axis(panel) | {"anchor": y_axis, "domain": [left, right]}
        layout[_axis_name("yaxis", number)] = _y_axis(panel) | {"anchor": x_axis, "domain": [bottom, top]}
        if chart.rows_share_x and number + columns < rows * columns:
            last = _axis_name("x", (rows - 1) * columns + number % columns)
            layout[_axis_name("xaxis", number)] |= {"matches": last, "showticklabels": False}
        if panel.title:
            layout["annotations"].append(_title(panel.title, (left + right) / 2, top))
    note = f"<br><sup>{chart.note}</sup>" if chart.note else ""
    between = _PANEL_TITLE_HEIGHT if layout["annotations"] else 0
    margin = {"l": 70, "r": 20, "t": _TITLE_HEIGHT + _LEGEND_HEIGHT * _legend_rows(chart) + between, "b": 60}
    height = height_of(chart)
    legend_y = 1 + between / (height - margin["t"] - margin["b"]) if between else 1.02
    layout |= {"title": _LAYOUT["title"] | {"text": chart.title + note}, "height": height, "margin": margin}
    layout["legend"] = _LAYOUT["legend"] | {"y": legend_y}
    return go.Figure({"data": data, "layout": layout})


def _axis_name(kind: str, number: int) -> str:
    """Plotly's name of the axis of a panel: ``x``, ``x2`` ... in a trace, ``xaxis``, ``xaxis2`` ... in a layout."""
    return f"{kind}{number + 1}" if number else kind


def _part(number: int, count: int, gap: float) -> tuple[float, float]:
    """Start and end of one of ``count`` equal parts between 0 and 1, with ``gap`` between them."""
    length = (1 - gap * (count - 1)) / count
    start = number * (length + gap)
    return start, min(1.0, start + length)  # rounding may exceed 1, which Plotly rejects


def _title(text: str, x: float, y: float) -> dict[str, Any]:
    position = {"x": x, "xanchor": "center", "xref": "paper", "y": y, "yanchor": "bottom", "yref": "paper"}
    return position | {"text": text, "font": {"size": 16}, "showarrow": False}


def height_of(chart: Chart) -> int:
    """The height of the figure in pixels."""
    rows, _ = chart.shape
    return max(_SINGLE_HEIGHT, 150 + _NAMED_HEIGHT * chart.most_categories) if rows == 1 else 150 + rows * _ROW_HEIGHT


def _legend_rows(chart: Chart) -> int:
    """About how many rows the legend has, which grows upwards from the axes, towards the title."""
    names = [series.name for row in chart.panels for panel in row for series in panel.series if series.name]
    return math.ceil(sum(50 + 8 * len(name) for name in names) / _NARROWEST)


def _x_axis(panel: Panel) -> dict[str, Any]:
    if panel.x_categories:
        last = len(panel.x_categories) - 1
        scale: dict[str, Any] = {"range": [-0.5, last + 0.5], **_named(panel.x_categories)}
    else:
        scale = {"type": "log", "dtick": "D2", "tickformat": "~s"} if panel.log_x else {"type": "linear"}
        if panel.has_whole_x and not panel.log_x:
            scale |= {"tickformat": ","} | ({"dtick": 1} if _span(panel) <= _MAX_TICKS else {})
    return _AXIS | {"title": {"text": panel.x_label, "standoff": 15}} | scale


def _span(panel: Panel) -> float:
    values = [x for series in panel.series for x in series.x]
    return max(values, default=0) - min(values, default=0)


def _y_axis(panel: Panel) -> dict[str, Any]:
    names = _named(panel.categories) if panel.categories else {}
    return _AXIS | {"title": {"text": panel.y_label.replace("\n", "<br>"), "standoff": 15}} | names


def _named(categories: tuple[str, ...]) -> dict[str, Any]:
    return {"tickvals": list(range(len(categories))), "ticktext": categories}


def _trace(series: Series) -> dict[str, Any]:
    usual = {
        "type": "scatter",
        "x": list(series.x),
        "y": list(series.y),
        "name": series.name,
        "showlegend": bool(series.name),
        "hovertext": list(series.text) or None,
    }
    if series.kind in ("bar", "barh"):
        orientation = "h" if series.kind == "barh" else "v"
        return usual | {"type": "bar", "marker": {"color": series.color}, "orientation": orientation}
    if series.kind == "events":
        marker = {"symbol": "line-ns", "size": 9, "line": {"color": series.color, "width": series.width}}
        return usual | {"mode": "markers", "marker": marker}
    if series.kind == "text":
        font = {"color": series.color, "size": 10}
        return usual | {"hovertext": None, "mode": "text", "text": list(series.text), "textfont": font}
    if series.kind == "scatter":
        return usual | {"mode": "markers", "marker": {"color": series.color, "size": 8}, "error_y": _intervals(series)}
    if series.color == "none":
        return usual | {"mode": "lines", "opacity": 0, "hoverinfo": "skip"}
    line = {"color": series.color, "width": series.width, "shape": "hv" if series.kind == "step" else "linear"}
    return usual | {"mode": "lines", "line": line}


def _intervals(series: Series) -> dict[str, Any] | None:
    if not series.low:
        return None
    ends = list(zip(series.low, series.y, series.high, strict=True))
    return {
        "array": [None if high is None else high - y for _, y, high in ends],
        "arrayminus": [None if low is None else y - low for low, y, _ in ends],
        "thickness": 1,
    }
