"""Draws a chart with Matplotlib, as PNG or SVG for papers: it needs neither a browser nor a display."""

from io import BytesIO
from typing import Any, Literal

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, StrMethodFormatter

from nlb_search.search.charts.chart import Chart, Panel, Series

_STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text, which can be edited
    "svg.hashsalt": "nlb-search",  # the same chart gives the same file
}
_DPI = 300
_INCHES, _SINGLE_INCHES, _ROW_INCHES, _NAMED_INCHES = 6.0, 3.4, 1.1, 0.2


def draw(chart: Chart, file_format: Literal["png", "svg"]) -> bytes:
    """The chart as an image, 6 inches wide: that of a page's text."""
    rows, columns = chart.shape
    with rc_context(_STYLE):
        named = 0.8 + _NAMED_INCHES * chart.most_categories
        height = max(_SINGLE_INCHES, named) if rows == 1 else 0.9 + _ROW_INCHES * rows
        figure = Figure(figsize=(_INCHES, height), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, squeeze=False)
        for row, panels in enumerate(chart.panels):
            for column, panel in enumerate(panels):
                _draw_panel(axes[row, column], panel)
        figure.suptitle(chart.title + (f"\n{chart.note}" if chart.note else ""), fontsize=9, wrap=True)
        if any(series.name for row in chart.panels for panel in row for series in panel.series):
            figure.legend(loc="outside lower center", ncols=4)
        image = BytesIO()
        figure.savefig(image, format=file_format, dpi=_DPI, metadata={"Date": None} if file_format == "svg" else None)
    return image.getvalue()


def _draw_panel(axes: Any, panel: Panel) -> None:
    for series in panel.series:
        _draw_series(axes, series)
    axes.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
    if panel.has_whole_x and not panel.log_x:
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    if panel.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if panel.categories:
        axes.set_yticks(range(len(panel.categories)), panel.categories)
    if panel.x_categories:
        axes.set_xticks(range(len(panel.x_categories)), panel.x_categories)
        axes.set_xlim(-0.5, len(panel.x_categories) - 0.5)


def _draw_series(axes: Any, series: Series) -> None:
    label = series.name or None
    match series.kind:
        case "line":
            axes.plot(series.x, series.y, color=series.color, linewidth=series.width, label=label)
        case "step":
            axes.step(series.x, series.y, where="post", color=series.color, linewidth=series.width, label=label)
        case "bar":
            axes.bar(series.x, series.y, color=series.color, label=label)
        case "barh":
            axes.barh(series.y, series.x, color=series.color, label=label)
        case "events":
            axes.scatter(
                series.x, series.y, marker="|", s=16, color=series.color, linewidths=0.8, label=label, zorder=3
            )
        case "text":
            for x, y, text in zip(series.x, series.y, series.text, strict=True):
                outline = [withStroke(linewidth=1.5, foreground="white")]
                axes.text(
                    x, y, text, color=series.color, fontsize=6, ha="center", va="center", path_effects=outline, zorder=4
                )
        case "scatter":
            axes.scatter(series.x, series.y, color=series.color, s=14, label=label, zorder=3)
            intervals = zip(series.x, series.low, series.high, strict=True) if series.low else ()
            for x, low, high in intervals:
                if low is not None and high is not None:
                    axes.vlines(x, low, high, color=series.color, linewidth=0.8, zorder=2.5)
