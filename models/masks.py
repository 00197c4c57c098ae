"""Which held-in entries are hidden from a network in training.

What is hidden is scored and what is visible is not: coordinated dropout (Keshtkaran & Pandarinath 2019,
https://papers.nips.cc/paper/8963), which keeps a network from copying its input. A variant is a set of shapes,
written with blanks between them (``dot line``). The published search names its variants without defining the shapes;
this is our reading.

Every shape hides each entry with exactly the chance it is asked for, at the ends of the window as in its middle. All
are drawn from torch's generator of the device, on the device: a seed set there fixes them, and nothing waits.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

STRIP_BINS = 10
"""The length of a strip: 50 ms in bins of 5 ms."""

_Shape = tuple[int, ...]
"""Trials, bins, held-in neurons."""


def dot(shape_BWI: _Shape, chance: float, device: torch.device) -> Tensor:
    """Single entries, each drawn independently."""
    return torch.rand(shape_BWI, device=device) < chance


def strip(shape_BWI: _Shape, chance: float, device: torch.device) -> Tensor:
    """Runs of STRIP_BINS neighbouring bins of one neuron; they may overlap, and reach over the window's ends."""
    n_trials, n_bins, n_neurons = shape_BWI
    # An entry is seen if none of the strips that could cover it begins.
    begins = 1 - (1 - chance) ** (1 / STRIP_BINS)
    begin_BIX = torch.rand(n_trials, n_neurons, n_bins + STRIP_BINS - 1, device=device) < begins
    covered_BIW = functional.max_pool1d(begin_BIX.float(), STRIP_BINS, stride=1)
    return covered_BIW.transpose(1, 2) > 0


def line(shape_BWI: _Shape, chance: float, device: torch.device) -> Tensor:
    """A neuron's whole row in a trial, as co-smoothing hides a neuron."""
    n_trials, _, n_neurons = shape_BWI
    return (torch.rand(n_trials, 1, n_neurons, device=device) < chance).expand(shape_BWI)


def last_bins(shape_BWI: _Shape, chance: float, device: torch.device) -> Tensor:
    """The last bins of a trial, of all neurons: as many as the chance asks, rounded up or down at random."""
    n_trials, n_bins, _ = shape_BWI
    hidden_B11 = torch.floor(chance * n_bins + torch.rand(n_trials, 1, 1, device=device))
    bins_W1 = torch.arange(n_bins, device=device).unsqueeze(1)
    return (bins_W1 >= n_bins - hidden_B11).expand(shape_BWI)


def ell(shape_BWI: _Shape, chance: float, device: torch.device) -> Tensor:
    """Whole rows joined with the last bins, as the benchmark hides held-out neurons and forward bins."""
    each = share(chance, 2)
    return line(shape_BWI, each, device) | last_bins(shape_BWI, each, device)


SHAPES: dict[str, Callable[[_Shape, float, torch.device], Tensor]] = {
    "dot": dot,
    "strip": strip,
    "line": line,
    "L": ell,
}

PUBLISHED_VARIANTS = ("dot line", "dot strip line", "strip line", "dot L", "strip L")


def share(ratio: float, n_shapes: int) -> float:
    """The chance of each of some independent shapes that together hide a share ``ratio``, overlaps counted once."""
    return float(1 - (1 - ratio) ** (1 / n_shapes))


def shapes_of(variant: str) -> tuple[str, ...]:
    """The shapes of a variant. Raises ValueError for text that is not different shapes with blanks between them."""
    shapes = tuple(variant.split())
    unknown = [shape for shape in shapes if shape not in SHAPES]
    if unknown or not shapes or len(set(shapes)) < len(shapes):
        raise ValueError(f"'{variant}' is no mask variant: write one or more of {', '.join(SHAPES)}, each once")
    return shapes


def hide(shape_BWI: _Shape, variant: str, ratio: float, device: torch.device) -> Tensor:
    """The entries of held-in counts to hide, boolean, B x W x I: a share ``ratio`` of them, in the variant's shapes.

    Raises ValueError for a variant that is none.
    """
    shapes = shapes_of(variant)
    each = share(ratio, len(shapes))
    hidden_BWI = SHAPES[shapes[0]](shape_BWI, each, device)
    for shape in shapes[1:]:
        hidden_BWI = hidden_BWI | SHAPES[shape](shape_BWI, each, device)
    return hidden_BWI
