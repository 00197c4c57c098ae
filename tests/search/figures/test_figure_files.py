"""Figures and the report of a finished study, as files."""

import re
from pathlib import Path

import pytest

from tests.helpers.processes.command import call, search

OPTIONS = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "2", "--epochs", "2", "--pruner", "none")
OF_TRIALS = ("history", "curves", "time", "chains", "pruning", "workers")
CHARTS = (*OF_TRIALS, "rates", "neurons", "velocity")


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
    rejected = call("plot", "study", "--out", "images", "--format", "pdf", cwd=searched)
    assert rejected.code == 2
    assert "there is no format 'pdf'" in rejected.err


def test_figures_of_trials_are_written_without_the_recording(searched: Path) -> None:
    plotted = call("plot", "study", "--out", "rest", "--format", "svg", "--data", "nowhere", cwd=searched)
    assert plotted.code == 0, plotted.err
    assert {file.stem for file in (searched / "rest").iterdir()} == set(OF_TRIALS)


def test_report_is_one_page_with_scores_baselines_and_figures(searched: Path) -> None:
    best = call("status", "study", "--json", cwd=searched).json["best"]
    written = call("report", "study", "--out", "report.html", cwd=searched)
    assert written.code == 0, written.err
    page = (searched / "report.html").read_text()
    assert f"{best['number']}: co-bps {best['value']:.4f}, 95% bootstrap interval" in page
    assert re.search(r"smoothing baseline \(Pei et al. 2021\)</th><td>-?\d\.\d{4}[<:]", page)
    command = " ".join(page.partition("<pre>")[2].replace("\\\n", " ").split())
    assert "nlb-search launch study --dataset mc_rtt --arch &#x27;FF -&gt; exp&#x27; --trials 2 --epochs 2" in command
    assert "2 finished trials say little" in page
    assert "<td>neural-r-roberta</td><td>test</td><td>0.2168</td>" in page
    assert page.count("<img ") == len(CHARTS)
    assert "<a href='https://github.com/bryanjw01/makin_lab_nlb_2022'>" in page, "published scores have a source"
    assert re.findall(r"<(?:link|script)|src='(?!data:)", page) == [], "it opens without a network"
    assert len(page) < 6_000_000
    rejected = call("report", "study", "--out", "no/such/folder.html", cwd=searched)
    assert rejected.code == 1
    assert "existing folder" in rejected.err
