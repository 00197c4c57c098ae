"""Charts are drawn in every format, and show what they are given."""

import re
import struct
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from nlb_search.search.charts import matplotlib_drawing, plotly_drawing, svg_drawing
from nlb_search.search.charts.chart import Chart, Panel, Series, single
from nlb_search.search.charts.trial_charts import NEURONS, TRIALS, learning_curve, spikes_and_rates

SVG = "{http://www.w3.org/2000/svg}"


def _rates() -> Chart:
    spikes = np.zeros((9, 50, 6), np.uint8)
    spikes[:, ::10, 1:5] = 1
    spikes[4, 7, 2] = 3
    return spikes_and_rates(3, spikes, np.full((9, 50, 6), 0.1), bin_ms=5)


def test_rates_show_the_busiest_neurons_in_spikes_per_second() -> None:
    chart = _rates()
    assert chart.shape == (NEURONS, TRIALS)
    assert [row[0].y_label.split()[1] for row in chart.panels] == ["2", "1", "3", "4"]
    rate, _, spikes = chart.panels[0][1].series
    assert rate.y == pytest.approx([20.0] * 50), "0.1 spikes per bin of 5 ms"
    assert spikes.x == pytest.approx([2.5, 35 + 5 / 6, 37.5, 40 - 5 / 6, 52.5, 102.5, 152.5, 202.5])


@pytest.mark.parametrize("chart", [_rates(), learning_curve(7, {2: 0.1, 1: 0.3, 5: float("nan"), 9: 0.2})])
def test_workers_pictures_are_svg_with_every_point_inside(chart: Chart) -> None:
    picture = ET.fromstring(svg_drawing.draw(chart))  # noqa: S314 - our own text
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    points = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in picture.iter(f"{SVG}circle")]
    lines = [path.attrib["d"] for path in picture.iter(f"{SVG}path") if "L" in path.attrib["d"]]
    points += [tuple(map(float, pair.split())) for line in lines for pair in line[1:].split("L")]  # type: ignore[misc]
    assert len(points) > 3
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


def test_learning_curve_marks_the_best_finite_evaluation() -> None:
    assert "best: 0.3000 at epoch 1" in svg_drawing.draw(learning_curve(7, {2: 0.1, 1: 0.3, 5: float("nan")}))


def test_png_has_300_dpi_and_svg_keeps_its_text() -> None:
    png: Any = matplotlib_drawing.draw(_rates(), "png")
    assert struct.unpack(">I", png[16:20])[0] == 1800
    assert "val trial 4" in matplotlib_drawing.draw(_rates(), "svg").decode()


def test_page_shows_the_same_numbers() -> None:
    figure = plotly_drawing.draw(_rates())
    assert len(figure.data) == 3 * NEURONS * TRIALS
    assert {trace.name for trace in figure.data if trace.showlegend} == {"predicted rate", "true spikes"}


def test_rows_of_a_page_share_their_times_and_titles_are_below_the_legend() -> None:
    layout = plotly_drawing.draw(_rates()).layout
    assert layout.xaxis.matches == layout.xaxis4.matches == f"x{1 + TRIALS * (NEURONS - 1)}"
    pixels = layout.height - layout.margin.t - layout.margin.b
    title = next(note for note in layout.annotations if note.text == "val trial 0")
    assert (layout.legend.y - title.y) * pixels > title.font.size


@pytest.mark.parametrize("rows", [1, 2, 7, 28])
def test_any_number_of_rows_can_be_drawn(rows: int) -> None:
    """Plotly rejects axes that end above 1, as they do by rounding."""
    panel = Panel((Series("line", [1, 2], [0.1, 0.2]),))
    axes = [plotly_drawing.draw(Chart("rows", "title", ((panel,),) * rows)).layout[f"yaxis{row}"] for row in (1, rows)]
    assert axes[0].domain[1] == pytest.approx(1)
    assert axes[-1].domain[0] == pytest.approx(0)


def test_axes_of_numbers_of_trials_have_ticks_at_integers() -> None:
    few = single("trials", "title", Panel((Series("line", [1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4]),)))
    assert plotly_drawing.draw(few).layout.xaxis.dtick == 1
    written = re.findall(r">([\d.]+)</text>", matplotlib_drawing.draw(few, "svg").decode())
    assert {"1", "2", "3", "4"} <= set(written)
    assert "1.5" not in written
    shares = single("shares", "title", Panel((Series("line", [0.0, 0.5, 1.0], [1, 2, 3]),)))
    assert plotly_drawing.draw(shares).layout.xaxis.dtick is None
