"""The page of ``inspect``, opened in a real browser without network access."""

import re
from pathlib import Path

import pytest

from nlb_search.data.inspection.inspection import inspection_of
from nlb_search.data.inspection.survey import survey_of
from nlb_search.data.recording import UNSEEN, Recording
from nlb_search.search.figures.inspection.inspection_page import write_page
from tests.helpers.recordings.built_recording import N_HELDIN, N_WINDOW, build, population
from tests.helpers.servers.chromium import needs_chromium, opened

CHOOSE_THE_THIRD = """<script>
const click = (selector, number) => document.querySelectorAll(selector)[number].dispatchEvent(new MouseEvent("click"));
addEventListener("load", () => setTimeout(() => {
  click(".updatemenu-header", 0);
  setTimeout(() => click(".updatemenu-dropdown-button", 2), 500);
}, 500));
</script></body>"""


def _written_page(recording: Recording, folder: Path) -> Path:
    survey = survey_of(recording)
    return write_page(survey, inspection_of(survey), folder)


def _shown(page: Path, folder: Path) -> str:
    return opened(page.as_uri(), folder, "--host-resolver-rules=MAP * ~NOTFOUND")


def _written(page: str) -> set[str]:
    """The text of the page's figures."""
    return {re.sub("<[^>]*>", "", text) for text in re.findall(r"<text[^>]*>(.*?)</text>", page)}


@needs_chromium
def test_page_contains_findings_and_all_figures(tmp_path: Path) -> None:
    counts = population()
    counts[..., 13] = counts[..., 3]
    counts[3::4, :5, N_HELDIN:] = UNSEEN
    page = _shown(
        _written_page(build(tmp_path, counts, test_BWI=counts[:20, :N_WINDOW, :N_HELDIN]), tmp_path), tmp_path
    )
    assert "3 (held-in) and 13 (held-out)" in page
    words = _written(page)
    for title in (
        "Spikes of one trial of val",
        "Mean rates of the 16 neurons that fire",
        "Population rate over trials",
    ):
        assert any(word.startswith(title) for word in words), words
    assert {"held-in", "held-out", "window", "forward bins", "train", "val", "test", "val trial 0"} <= words
    assert page.count('class="plot-container') == 5


@needs_chromium
@pytest.mark.parametrize("rate", [0.05, 0])
def test_recording_without_forward_bins_test_trials_or_spikes(rate: float, tmp_path: Path) -> None:
    counts = population(rate=rate)
    page = _shown(_written_page(build(tmp_path, counts, n_window=counts.shape[1]), tmp_path), tmp_path)
    words = _written(page)
    assert {"held-in", "held-out", "window"} <= words
    assert not {"forward bins", "test"} & words
    assert page.count('class="plot-container') == 5


@needs_chromium
def test_trial_can_be_selected(tmp_path: Path) -> None:
    page = _written_page(build(tmp_path, population()), tmp_path)
    page.write_text(page.read_text().replace("</body>", CHOOSE_THE_THIRD))
    chosen = re.search(r'class="updatemenu-header".*?<text[^>]*>(.*?)</text>', _shown(page, tmp_path))
    assert chosen[1] == "val trial 12", "the third of six that are spread over 30"
