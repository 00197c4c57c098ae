"""Charts of what a network predicts show the right numbers in the right units."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from nlb_search.search.charts import svg_drawing
from nlb_search.search.charts.prediction_charts import decoded_velocity, neuron_scores, trial_averages

SVG = "{http://www.w3.org/2000/svg}"


def test_neurons_are_sorted_and_silent_ones_left_out() -> None:
    chart = neuron_scores(4, np.array([0.1, np.nan, 0.3, -0.2]), range(4))
    bars = chart.panels[0][0].series[0]
    assert list(bars.text) == ["neuron 2", "neuron 0", "neuron 3"]
    assert chart.panels[0][0].x_categories == ("2", "0", "3"), "each bar has its neuron's number"
    assert list(bars.y) == [0.3, 0.1, -0.2]
    picture = ET.fromstring(svg_drawing.draw(chart))  # noqa: S314 - our own text
    heights = [float(bar.attrib["height"]) for bar in picture.iter(f"{SVG}rect") if bar.attrib["height"] != "100%"]
    names = [text.text for text in picture.iter(f"{SVG}text") if text.attrib["text-anchor"] == "middle"]
    assert names[:3] == ["2", "0", "3"]
    assert np.array(heights) / heights[1] == pytest.approx([3, 1, 2], abs=0.02)


def test_trial_averages_show_conditions_with_val_trials_in_spikes_per_second() -> None:
    psth_KWN = np.random.default_rng(0).random((5, 10, 6))
    predicted_KWN = np.full((5, 10, 6), 0.1)
    predicted_KWN[[0, 3]] = np.nan  # no val trials
    chart = trial_averages(1, psth_KWN, predicted_KWN, 0.5, bin_ms=20)
    assert [panel.title for panel in chart.panels[0]] == ["condition 1", "condition 2", "condition 4"]
    psth, predicted, _ = chart.panels[0][0].series
    assert predicted.y == pytest.approx([5.0] * 10), "0.1 spikes per bin of 20 ms"
    neuron = int(chart.panels[0][0].y_label.split()[1])
    assert psth.y == pytest.approx(psth_KWN[1, :, neuron] * 50)
    assert "psth R2 over all neurons and conditions: 0.5000" in svg_drawing.draw(chart)


def test_velocity_shows_only_trials_that_were_decoded() -> None:
    true_BWC = np.ones((6, 8, 2))
    decoded_BWC = np.full((6, 8, 2), np.nan)
    decoded_BWC[[1, 4]] = 0.5
    chart = decoded_velocity(1, true_BWC, decoded_BWC, 0.3, bin_ms=5)
    assert [panel.title for panel in chart.panels[0]] == ["val trial 1", "val trial 4"]
    assert chart.panels[1][0].y_label == "velocity y"
