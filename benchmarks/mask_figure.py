"""``python -m benchmarks.mask_figure`` draws docs/masks.svg: what training hides and reads, by training's own code.

Every panel is one trial of 30 held-in and 10 held-out neurons, 45 window bins and 15 forward bins: mc_rtt at a third of
its size.
"""

from collections.abc import Iterator
from enum import Enum
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from nlb_search.models.masking.crops import draw_bins, window_bins
from nlb_search.models.masking.masks import hide, probabilities_of
from nlb_search.models.masking.variant_names import CROP, PUBLISHED_VARIANTS, SHAPES, WHOLE
from nlb_search.models.random_draws import fold, key_of
from nlb_search.models.tensors import Sizes

FILE = Path(__file__).parent.parent / "docs" / "masks.svg"

KEY = key_of(7, torch.device("cpu"))
"""One of few whose masks all lie close to the ratio, and whose crops reach both ends of the window."""
SIZES = Sizes(n_heldin=30, n_heldout=10, n_window=45, n_forward=15)
RATIO = 0.27
CROPPED_VARIANT = "dot line"
N_CROPS = 4

CELL = 3.4
PANEL_WIDTH, PANEL_HEIGHT = CELL * SIZES.n_bins, CELL * SIZES.n_neurons
MARGIN, GAP, FIRST_ROW, ROW = 40, 28, 196, PANEL_HEIGHT + 96
WIDTH = 2 * MARGIN + 5 * PANEL_WIDTH + 4 * GAP
HEIGHT = FIRST_ROW + 2 * ROW + PANEL_HEIGHT + 30
HIDDEN_HEIGHT = 0.8
"""How much of its row a hidden run fills, so that one tells neighbouring neurons apart."""

STYLE = """
text { font-family: -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 14px; fill: #24292f }
.heading { font-size: 18px; font-weight: 600 }
.title { font-weight: 600 }
.note { font-size: 13px; font-weight: 400; fill: #57606a }
.visible, .heldout, .forward, .unused { shape-rendering: crispEdges }
.right { text-anchor: end }
.middle { text-anchor: middle }
"""


class Part(Enum):
    """What an entry of a trial is to one step of training: its colour, and its name and meaning in the legend."""

    VISIBLE = ("#dde5ee", "visible", "read, not scored")
    HIDDEN = ("#1f5f99", "hidden", "not read, scored")
    HELDOUT = ("#ecc08a", "held-out neurons", "never read, always scored")
    FORWARD = ("#a5d0be", "forward bins", "never read, always scored")
    UNUSED = ("#f3f4f6", "outside the crop", "neither read nor scored")

    def __init__(self, colour: str, title: str, meaning: str) -> None:
        self.colour, self.title, self.meaning = colour, title, meaning


Trial = list[list[Part]]
"""Neurons x bins: held-in neurons first, window bins first."""


def trial(hidden_WI: Tensor, bins_T: Tensor) -> Trial:
    """What one step makes of a trial of which it reads ``bins_T``, its window bins first, and hides ``hidden_WI``."""
    parts = [[Part.UNUSED] * SIZES.n_bins for _ in range(SIZES.n_neurons)]
    for locations, bin_ in enumerate(bins_T.tolist()):
        for neuron in range(SIZES.n_neurons):
            if locations >= len(hidden_WI):
                parts[neuron][bin_] = Part.FORWARD
            elif neuron >= SIZES.n_heldin:
                parts[neuron][bin_] = Part.HELDOUT
            else:
                parts[neuron][bin_] = Part.HIDDEN if hidden_WI[locations, neuron] else Part.VISIBLE
    return parts


def everything_visible() -> Trial:
    return trial(torch.zeros(SIZES.n_window, SIZES.n_heldin), torch.arange(SIZES.n_bins))


def masks(n_trials: int, input_size: str, variant: str) -> Tensor:
    """What of some trials is hidden, boolean, B x W x I, by a key apart from that of the crops."""
    probabilities = {
        part: torch.tensor(probability) for part, probability in probabilities_of(variant, RATIO).items() if probability
    }
    return hide((n_trials, window_bins(input_size, SIZES), SIZES.n_heldin), probabilities, fold(KEY, 1))


def whole(variant: str) -> Trial:
    """One whole trial with a mask as training draws it."""
    (bins_T,) = draw_bins(1, WHOLE, SIZES, KEY)
    (hidden_WI,) = masks(1, WHOLE, variant)
    return trial(hidden_WI, bins_T)


def crops() -> list[tuple[int, Trial]]:
    """The crops of some trials of one step, each with its first bin and its mask, as training draws them."""
    bins_BT = draw_bins(N_CROPS, CROP, SIZES, KEY)
    hidden_BWI = masks(N_CROPS, CROP, CROPPED_VARIANT)
    return [(int(bins_T[0]), trial(hidden_WI, bins_T)) for hidden_WI, bins_T in zip(hidden_BWI, bins_BT, strict=True)]


def entries(parts: Trial) -> Iterator[str]:
    """A trial as shapes, one for each part; neighbouring bins of one part are drawn as one."""
    runs: dict[Part, list[str]] = {}
    for neuron, row in enumerate(parts):
        bin_ = 0
        for part, run in groupby(row):
            length = len(list(run))
            height = HIDDEN_HEIGHT if part is Part.HIDDEN else 1
            runs.setdefault(part, []).append(f"M{bin_} {neuron}h{length}v{height}h-{length}z")
            bin_ += length
    for part in Part:
        if part in runs:
            yield f'<path class="{part.name.lower()}" fill="{part.colour}" d="{"".join(runs[part])}"/>'


def text(x: float, y: float, words: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{words}</text>'


def panel(row: int, column: int, title: str, note: str, parts: Trial) -> Iterator[str]:
    """One trial, with its title and a note above it."""
    x, y = MARGIN + column * (PANEL_WIDTH + GAP), FIRST_ROW + row * ROW
    yield f'<g transform="translate({x:.1f} {y:.1f})">'
    yield text(0, -8, title, "title")
    yield text(PANEL_WIDTH, -8, note, "note right")
    yield f'<g transform="scale({CELL})">'
    yield from entries(parts)
    yield "</g></g>"


def heading(row: int, words: str, explanation: str) -> Iterator[str]:
    """What a row of panels shows."""
    y = FIRST_ROW + row * ROW - 36
    note = f'<tspan class="note" dx="12">{explanation}</tspan>'
    yield text(MARGIN, y, words + note, "heading")


def legend() -> Iterator[str]:
    for column, part in enumerate(Part):
        x = MARGIN + column * (PANEL_WIDTH + GAP)
        yield f'<rect x="{x:.1f}" y="66" width="16" height="30" fill="{part.colour}"/>'
        yield text(x + 24, 78, part.title, "title")
        yield text(x + 24, 95, part.meaning, "note")


def layout() -> Iterator[str]:
    """The names of the parts of a trial, written over the first panel, which hides nothing."""
    x, y = MARGIN, FIRST_ROW
    window, forward = CELL * SIZES.n_window, CELL * SIZES.n_forward
    heldin, heldout = CELL * SIZES.n_heldin, CELL * SIZES.n_heldout
    yield text(x + window / 2, y + heldin / 2 + 5, "held-in neurons", "middle")
    yield text(x + window / 2, y + heldin + heldout / 2 + 5, "held-out neurons", "middle")
    yield f'<g transform="translate({x + window + forward / 2 + 5:.1f} {y + PANEL_HEIGHT / 2:.1f}) rotate(-90)">'
    yield text(0, 0, "forward bins", "middle") + "</g>"
    yield text(x, y + PANEL_HEIGHT + 17, f"{SIZES.n_heldin} + {SIZES.n_heldout} neurons", "note")
    yield text(x + PANEL_WIDTH, y + PANEL_HEIGHT + 17, f"{SIZES.n_window} + {SIZES.n_forward} bins", "note right")


def hidden_share(parts: Trial) -> str:
    maskable = [part for row in parts for part in row if part in (Part.VISIBLE, Part.HIDDEN)]
    return f"{maskable.count(Part.HIDDEN) / len(maskable):.0%} hidden"


def picture() -> str:
    """The whole picture, as SVG."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" '
        f'width="{WIDTH:.0f}" height="{HEIGHT:.0f}" role="img">',
        "<title>The masks and input sizes of nlb-search</title>",
        f"<style>{STYLE}</style>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        text(MARGIN, 44, "What one step of training reads, and what it is scored on", "heading"),
        *legend(),
        *heading(0, "Shapes", f"each alone, mask_ratio {RATIO}"),
        *panel(0, 0, "a trial", "", everything_visible()),
        *layout(),
        *heading(1, "Published variants", f"their shapes share mask_ratio {RATIO}"),
        *heading(
            2,
            "Input sizes",
            f"DT reads whole windows, dT crops of them: four trials of one step, masked in {CROPPED_VARIANT}",
        ),
        *panel(2, 0, WHOLE, "", whole(CROPPED_VARIANT)),
    ]
    for row, first, variants in ((0, 1, SHAPES), (1, 0, PUBLISHED_VARIANTS)):
        for column, variant in enumerate(variants, first):
            parts = whole(variant)
            lines += panel(row, column, variant, hidden_share(parts), parts)
    for column, (first, parts) in enumerate(crops(), 1):
        last = first + window_bins(CROP, SIZES)
        lines += panel(2, column, CROP, f"reads bins {first + 1} to {last}", parts)
    return "\n".join(lines) + "\n</svg>\n"


if __name__ == "__main__":
    FILE.write_text(picture(), encoding="utf-8")
