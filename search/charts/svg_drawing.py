"""Draws a chart as SVG text in a few milliseconds.

Workers draw with it: importing Matplotlib and drawing one chart takes longer than many trials.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from nlb_search.search.charts.chart import BLACK, Chart, Panel, Series

_WIDTH, _LEFT, _RIGHT, _GAP, _HEAD, _BOTTOM = 720, 74, 14, 14, 56, 44
_SINGLE_HEIGHT, _GRID_HEIGHT, _PANEL_TITLE, _PANEL_GAP = 340, 116, 20, 8
_EVENT = 5.0
"""Half the height of an event, in pixels."""


@dataclass(frozen=True)
class _Box:
    """Where a panel's axes are, in pixels."""

    left: float
    right: float
    top: float
    bottom: float


def draw(chart: Chart) -> str:
    """The chart as an SVG image on white, 720 pixels wide.

    Horizontal bars, written text, categories of the y axis and logarithmic axes are not supported.
    """
    rows, columns = chart.shape
    height = _SINGLE_HEIGHT if rows == columns == 1 else _GRID_HEIGHT
    width = (_WIDTH - _LEFT - _RIGHT - (columns - 1) * _GAP) / columns
    total = _HEAD + rows * height + _BOTTOM
    body = [_text(12, 22, chart.title, size=15), *_legend(chart), _text(_WIDTH - 12, 44, chart.note, "end")]
    for row, panels in enumerate(chart.panels):
        for column, panel in enumerate(panels):
            left, top = _LEFT + column * (width + _GAP), _HEAD + row * height
            box = _Box(left, left + width, top + _PANEL_TITLE * (row == 0), top + height - _PANEL_GAP)
            body += _panel(panel, box, has_labels=column == 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{total}" viewBox="0 0 {_WIDTH} {total}" '
        f'font-family="Open Sans, Segoe UI, Helvetica, Arial, sans-serif" font-size="12" fill="{BLACK}">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(body)}</svg>\n'
    )


def _panel(panel: Panel, box: _Box, has_labels: bool) -> Iterator[str]:
    (x_low, x_high), (y_low, y_high) = _range(panel, "x"), _range(panel, "y")

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            box.left + (x - x_low) / (x_high - x_low) * (box.right - box.left),
            box.bottom - (y - y_low) / (y_high - y_low) * (box.bottom - box.top),
        )

    center, middle = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    yield f'<path d="M{box.left:.1f} {box.top:.1f}V{box.bottom:.1f}H{box.right:.1f}" fill="none" stroke="{BLACK}"/>'
    yield _text(center, box.top - 6, panel.title, "middle")
    # Events are drawn below a rate of zero, where the axis has no meaning.
    first = 0.0 if any(series.kind == "events" for series in panel.series) else y_low
    for tick in _ticks(first, y_high, max(2, round((box.bottom - box.top) / 45))):
        y = at(x_low, tick)[1]
        yield f'<path d="M{box.left - 4:.1f} {y:.1f}h4" stroke="{BLACK}"/>'
        yield _text(box.left - 7, y + 4, f"{tick:g}" * has_labels, "end")
    ticks = _ticks(x_low, x_high, max(2, round((box.right - box.left) / 80)))
    names: dict[float, str] = dict(enumerate(panel.x_categories)) or {tick: f"{tick:g}" for tick in ticks}
    for tick, name in names.items():
        x = at(tick, y_low)[0]
        yield f'<path d="M{x:.1f} {box.bottom:.1f}v4" stroke="{BLACK}"/>'
        yield _text(x, box.bottom + 17, name * bool(panel.x_label), "middle")
    yield _text(center, box.bottom + 36, panel.x_label, "middle")
    for number, line in enumerate(panel.y_label.splitlines()):
        x = 16 + 15 * number
        yield _text(x, middle, line, "middle", f'transform="rotate(-90 {x} {middle:.1f})"')
    for series in panel.series:
        points = [at(x, y) for x, y in zip(series.x, series.y, strict=True) if math.isfinite(y)]
        yield _bars(series, points, at(0.0, 0.0)[1]) if series.kind == "bar" else _marks(series, points)


def _bars(series: Series, points: list[tuple[float, float]], zero: float) -> str:
    """Bars of equal width from the height ``zero``."""
    width = 0.8 * min((abs(b[0] - a[0]) for a, b in pairwise(points)), default=40.0)
    return "".join(
        f'<rect x="{x - width / 2:.1f}" y="{min(y, zero):.1f}" width="{width:.1f}" height="{abs(y - zero):.1f}" '
        f'fill="{series.color}"/>'
        for x, y in points
    )


def _marks(series: Series, points: list[tuple[float, float]]) -> str:
    if series.kind == "scatter":
        return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{series.color}"/>' for x, y in points)
    if series.kind == "events":
        path = "".join(f"M{x:.1f} {y - _EVENT:.1f}V{y + _EVENT:.1f}" for x, y in points)
    else:
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""
    return f'<path d="{path}" fill="none" stroke="{series.color}" stroke-width="{series.width}"/>'


def _legend(chart: Chart) -> Iterator[str]:
    x = 12.0
    for series in (one for row in chart.panels for panel in row for one in panel.series if one.name):
        yield f'<path d="M{x:.1f} 40H{x + 18:.1f}" stroke="{series.color}" stroke-width="3"/>'
        yield _text(x + 24, 44, series.name)
        x += 44 + 6.5 * len(series.name)


def _range(panel: Panel, axis: str) -> tuple[float, float]:
    """The values that an axis covers: a little more than the data."""
    values = [value for series in panel.series for value in getattr(series, axis) if math.isfinite(value)] or [0.0]
    if any(series.kind == "bar" for series in panel.series):
        values += [0.0] if axis == "y" else [min(values) - 0.5, max(values) + 0.5]
    low, high = min(values), max(values)
    spare = 0.06 * (high - low) or 0.5
    return (low - spare if axis == "y" else low, high + spare if axis == "y" or high == low else high)


def _ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round values between ``low`` and ``high``."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)
    first = math.ceil(low / step)
    return [round(n * step, 12) for n in range(first, math.floor(high / step) + 1)]


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "", size: int = 12) -> str:
    style = f'text-anchor="{anchor}" font-size="{size}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style} {more}>{escape(text)}</text>' if text else ""
