"""Figures and the report of a finished study, as files."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from command import call, search

from nlb_search.search.figures.network_charts import neuron_scores

OPTIONS = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "2", "--epochs", "2", "--pruner", "none")
CHARTS = ("history", "time", "curves", "chains", "rates", "neurons")


@pytest.fixture(scope="module")
def searched(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study."""
    folder = tmp_path_factory.mktemp("searched")
    search("study", *OPTIONS, data=recordings, cwd=folder)
    return folder


def test_pages_share_one_copy_of_plotly_and_need_no_network(searched: Path) -> None:
    plotted = call("plot", "study", "--out", "pages", cwd=searched)
    assert plotted.code == 0, plotted.err
    pages = searched / "pages"
    assert {file.name for file in pages.iterdir()} == {"index.html", "plotly.min.js", *(f"{n}.html" for n in CHARTS)}
    assert sum(file.stat().st_size for file in pages.glob("*.html")) < 500_000
    for name in CHARTS:
        assert f"src='{name}.html'" in (pages / "index.html").read_text()
        assert re.findall(r'<script[^>]* src="([^"]+)"', (pages / f"{name}.html").read_text()) == ["plotly.min.js"]


def test_images_need_no_browser(searched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    plotted = call("plot", "study", "--out", "images", "--format", "png,svg", cwd=searched)
    assert plotted.code == 0, plotted.err
    assert (searched / "images" / "history.png").read_bytes().startswith(b"\x89PNG")
    assert "co-bps on val" in (searched / "images" / "curves.svg").read_text()
    refused = call("plot", "study", "--out", "images", "--format", "pdf", cwd=searched)
    assert refused.code == 2
    assert "there is no format 'pdf'" in refused.err


def test_figures_of_trials_are_written_without_the_recording(searched: Path) -> None:
    plotted = call("plot", "study", "--out", "rest", "--format", "svg", "--data", "nowhere", cwd=searched)
    assert plotted.code == 0, plotted.err
    assert {file.stem for file in (searched / "rest").iterdir()} == {"history", "time", "curves", "chains"}


def test_score_of_each_neuron_is_zero_at_its_mean_rate() -> None:
    spikes = torch.tensor(np.random.default_rng(0).poisson(0.4, (20, 30, 3))).float()
    spikes[..., 2] = 0
    rates = spikes.mean(dim=(0, 1)).expand_as(spikes).clone()
    rates[..., 1] *= 2
    bars = neuron_scores(4, rates, spikes).panels[0][0].series[0]
    assert list(bars.text) == ["neuron 0", "neuron 1"], "a neuron that never spikes has no score"
    assert bars.y[0] == pytest.approx(0, abs=1e-6)
    assert bars.y[1] == pytest.approx((np.log(2) - 1) / np.log(2), abs=1e-5), "twice the mean rate"


def test_report_is_one_page_with_scores_baselines_and_figures(searched: Path) -> None:
    best = call("status", "study", "--json", cwd=searched).json["best"]
    written = call("report", "study", "--out", "report.html", cwd=searched)
    assert written.code == 0, written.err
    page = (searched / "report.html").read_text()
    assert f"{best['number']}: co-bps {best['value']:.4f}, 95% bootstrap interval" in page
    assert re.search(r"smoothing baseline \(Pei et al. 2021\)</th><td>-?\d\.\d{4}<", page)
    assert "nlb-search launch study --dataset mc_rtt --arch &#x27;FF -&gt; exp&#x27; --trials 2 --epochs 2" in page
    assert page.count("<img ") == len(CHARTS)
    assert "http" not in re.sub(r"base64,[^']+", "", page), "it opens without a network"
    assert len(page) < 6_000_000
    refused = call("report", "study", "--out", "no/such/folder.html", cwd=searched)
    assert refused.code == 1
    assert "existing folder" in refused.err
