"""The figure in docs/masks.md shows the masks and crops that training uses."""

import re
from xml.etree import ElementTree

import pytest

from benchmarks.mask_figure import FILE, RATIO, SIZES, SPAN, SPAN_TRIALS, picture
from nlb_search.models.masking.variant_names import PUBLISHED_SHAPES, PUBLISHED_VARIANTS

SPANS = [f"{SPAN}, step {done}" for done in SPAN_TRIALS]
MASKED = [*PUBLISHED_SHAPES, *PUBLISHED_VARIANTS, *SPANS]

SVG = "{http://www.w3.org/2000/svg}"


def _areas(drawn: ElementTree.Element) -> dict[str, int]:
    """Number of entries drawn as each class."""
    return {
        path.attrib["class"]: sum(int(length) for length in re.findall(r"h(\d+)v", path.attrib["d"]))
        for path in drawn.iter(f"{SVG}path")
    }


def _panels() -> list[tuple[str, dict[str, int]]]:
    """Title and areas of each panel of the committed figure."""
    groups = ElementTree.parse(FILE).getroot().findall(f"{SVG}g")  # noqa: S314 - our own picture
    panels = [(group.findtext(f"{SVG}text[@class='title']") or "", _areas(group)) for group in groups]
    return [(title, areas) for title, areas in panels if title]


def test_committed_figure_is_up_to_date() -> None:
    assert picture() == FILE.read_text(encoding="utf-8"), "python -m benchmarks.mask_figure draws it again"


def test_every_shape_variant_and_input_size_has_a_panel() -> None:
    titles = {title for title, _ in _panels()}
    assert titles == {"a trial", *MASKED, "DT", "dT"}


def test_every_panel_draws_each_entry_exactly_once() -> None:
    for _, areas in _panels():
        assert sum(areas.values()) == SIZES.n_neurons * SIZES.n_bins


@pytest.mark.parametrize("panel", MASKED)
def test_masked_fraction_matches_ratio(panel: str) -> None:
    for areas in (areas for title, areas in _panels() if title == panel):
        assert areas["visible"] + areas["hidden"] == SIZES.n_window * SIZES.n_heldin
        assert areas["hidden"] / (SIZES.n_window * SIZES.n_heldin) == pytest.approx(RATIO, abs=0.05)
