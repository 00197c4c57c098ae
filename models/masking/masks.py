"""Which held-in entries are hidden from a network in training.

What is hidden is scored and what is visible is not: coordinated dropout (Keshtkaran & Pandarinath 2019,
https://papers.nips.cc/paper/8963), which keeps a network from copying its input. A variant is a set of shapes,
written with blanks between them (``dot line``). The published search names its variants without defining the shapes;
this is our reading.

Every shape hides each entry with exactly the chance it is asked for, at the ends of the window as in its middle. All
are drawn on the device from a key, without waiting for it.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from nlb_search.models.masking.variants import SHAPES, shapes_of
from nlb_search.models.random_draws import fold, bernoulli, uniform

STRIP_BINS = 10
"""The length of a strip: 50 ms in bins of 5 ms."""

_Shape = tuple[int, int, int]
"""Trials, bins, held-in neurons."""


def dot(shape_BWI: _Shape, probability: Tensor, key: Tensor) -> Tensor:
    """Single entries, each drawn independently."""
    return bernoulli(key, probability, shape_BWI)


def strip(shape_BWI: _Shape, probability: Tensor, key: Tensor) -> Tensor:
    """Runs of STRIP_BINS neighbouring bins of one neuron; they may overlap, and reach over the window's ends."""
    n_trials, n_bins, n_neurons = shape_BWI
    # An entry is seen if none of the strips that could cover it begins.
    begins = 1 - (1 - probability) ** (1 / STRIP_BINS)
    begin_BIX = bernoulli(key, begins, (n_trials, n_neurons, n_bins + STRIP_BINS - 1))
    covered_BIW = functional.max_pool1d(begin_BIX.float(), STRIP_BINS, stride=1)
    return covered_BIW.transpose(1, 2) > 0


def line(shape_BWI: _Shape, probability: Tensor, key: Tensor) -> Tensor:
    """A neuron's whole row in a trial, as co-smoothing hides a neuron."""
    n_trials, _, n_neurons = shape_BWI
    return bernoulli(key, probability, (n_trials, 1, n_neurons)).expand(shape_BWI)


def last_bins(shape_BWI: _Shape, probability: Tensor, key: Tensor) -> Tensor:
    """The last bins of a trial, of all neurons: as many as the chance asks, rounded up or down at random."""
    n_trials, n_bins, _ = shape_BWI
    hidden_B11 = torch.floor(probability * n_bins + uniform(key, (n_trials, 1, 1)))
    bins_W1 = torch.arange(n_bins, device=key.device).unsqueeze(1)
    return (bins_W1 >= n_bins - hidden_B11).expand(shape_BWI)


_PARTS: dict[str, Callable[[_Shape, Tensor, Tensor], Tensor]] = {
    "dot": dot,
    "strip": strip,
    "line": line,
    "last_bins": last_bins,
}
PARTS = tuple(_PARTS)
"""What the shapes are made of."""


def share(ratio: float, n_shapes: int) -> float:
    """The chance of each of some independent shapes that together hide a share ``ratio``, overlaps counted once."""
    return float(1 - (1 - ratio) ** (1 / n_shapes))


def probabilities_of(variant: str, ratio: float) -> dict[str, float]:
    """The chance of every part with which the variant hides a share ``ratio``; 0 for parts that it does not have.

    A part that stands in two shapes is drawn once, with the chance that one of them would hide an entry. Raises
    ValueError for a variant that is none.
    """
    shapes = shapes_of(variant)
    seen = dict.fromkeys(PARTS, 1.0)
    for shape in shapes:
        for part in SHAPES[shape]:
            seen[part] *= 1 - share(share(ratio, len(shapes)), len(SHAPES[shape]))
    return {part: 1 - probability for part, probability in seen.items()}


def hide(shape_BWI: _Shape, probabilities: dict[str, Tensor], key: Tensor) -> Tensor:
    """The entries of held-in counts to hide, boolean, B x W x I: those that any of the parts hides.

    ``probabilities`` holds a scalar tensor for each part that is drawn.
    """
    hidden = (
        _PARTS[part](shape_BWI, probability, fold(key, PARTS.index(part)))
        for part, probability in probabilities.items()
    )
    first_BWI, *others = hidden
    for other_BWI in others:
        first_BWI = first_BWI | other_BWI
    return first_BWI
