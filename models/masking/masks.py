"""Masks: which held-in entries are hidden from a network in training.

Of the held-in entries, only the hidden ones are scored: coordinated dropout (Keshtkaran & Pandarinath 2019,
https://papers.nips.cc/paper/8963), which prevents a network from copying its input. A variant is a set of shapes,
separated by spaces (``dot line``). The published search names its variants without defining the shapes; this is our
interpretation.

A shape is drawn as one or several parts, which are the functions below. Except for ``last_bins``, every part hides
each entry with exactly the given probability, at the ends of the window as in its middle. All masks are drawn on the
device from a key, without synchronizing with it. ``done`` is the number of training steps that the network has done, a
scalar: only ``span`` depends on it.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from nlb_search.models.masking.variant_names import SHAPES, shapes_of
from nlb_search.models.random_draws import bernoulli, split_key, uniform

STRIP_BINS = 10
"""The length of a strip in bins: 50 ms in 5 ms bins."""

MAX_SPAN = 5
"""The largest length of a span in bins."""

RAMP_START, RAMP_END = 250, 500
"""The steps between which the fraction of trials with spans of several bins rises from 0 to 1."""

_Shape = tuple[int, int, int]
"""Trials, bins, held-in neurons."""


def dot(shape_BWI: _Shape, probability: Tensor, key: Tensor, _done: Tensor) -> Tensor:
    """Single entries, each drawn independently."""
    return bernoulli(key, probability, shape_BWI)


def strip(shape_BWI: _Shape, probability: Tensor, key: Tensor, _done: Tensor) -> Tensor:
    """Runs of STRIP_BINS consecutive bins of one neuron. They may overlap and extend beyond the window."""
    n_trials, n_bins, n_neurons = shape_BWI
    # An entry is visible if none of the STRIP_BINS possible strips that cover it is drawn.
    begins = 1 - (1 - probability) ** (1 / STRIP_BINS)
    begin_BIX = bernoulli(key, begins, (n_trials, n_neurons, n_bins + STRIP_BINS - 1))
    covered_BIW = functional.max_pool1d(begin_BIX.float(), STRIP_BINS, stride=1)
    return covered_BIW.transpose(1, 2) > 0


def line(shape_BWI: _Shape, probability: Tensor, key: Tensor, _done: Tensor) -> Tensor:
    """All bins of a neuron in a trial, as co-smoothing hides held-out neurons."""
    n_trials, _, n_neurons = shape_BWI
    return bernoulli(key, probability, (n_trials, 1, n_neurons)).expand(shape_BWI)


def last_bins(shape_BWI: _Shape, probability: Tensor, key: Tensor, _done: Tensor) -> Tensor:
    """The last bins of a trial for all neurons: on average ``probability`` of the bins, randomly rounded up or down."""
    n_trials, n_bins, _ = shape_BWI
    hidden_B11 = torch.floor(probability * n_bins + uniform(key, (n_trials, 1, 1)))
    bins_W1 = torch.arange(n_bins, device=key.device).unsqueeze(1)
    return (bins_W1 >= n_bins - hidden_B11).expand(shape_BWI)


def span(shape_BWI: _Shape, probability: Tensor, key: Tensor, done: Tensor) -> Tensor:
    """Runs of consecutive bins of all neurons: single bins early in training, later of 1 to MAX_SPAN bins.

    They are the masks of whole time steps of the neural data transformer (Ye & Pandarinath 2021,
    https://doi.org/10.1101/2021.01.16.426955), whose spans become longer with a probability that rises in training.
    Differences: the length is drawn for each trial, not for each step, and the hidden fraction does not depend on it.
    """
    n_trials, n_bins, _ = shape_BWI
    _, long_key, length_key, begin_key = split_key(key, 4)
    long_B1 = uniform(long_key, (n_trials, 1)) < (done - RAMP_START) / (RAMP_END - RAMP_START)
    drawn_B1 = 1 + torch.floor(uniform(length_key, (n_trials, 1)) * MAX_SPAN)
    length_B1 = torch.where(long_B1, drawn_B1, 1)
    # A bin is visible if none of the spans that would cover it is drawn.
    begins_B1 = 1 - (1 - probability) ** (1 / length_B1)
    begin_BX = bernoulli(begin_key, begins_B1, (n_trials, n_bins + MAX_SPAN - 1))
    reaches_BL = torch.arange(MAX_SPAN, device=key.device) >= MAX_SPAN - length_B1
    covered_BW = (begin_BX.unfold(1, MAX_SPAN, 1) & reaches_BL.unsqueeze(1)).any(dim=2)
    return covered_BW.unsqueeze(2).expand(shape_BWI)


_PARTS: dict[str, Callable[[_Shape, Tensor, Tensor, Tensor], Tensor]] = {
    "dot": dot,
    "strip": strip,
    "line": line,
    "last_bins": last_bins,
    "span": span,
}
PARTS = tuple(_PARTS)
"""The parts that shapes consist of."""


def share(ratio: float, n_shapes: int) -> float:
    """The probability for each of ``n_shapes`` independent shapes whose union hides a fraction ``ratio``."""
    return float(1 - (1 - ratio) ** (1 / n_shapes))


def probabilities_of(variant: str, ratio: float) -> dict[str, float]:
    """The probability of every part so that the variant hides a fraction ``ratio``; 0 for parts that it does not have.

    A part that two shapes share is drawn once, with the probability that at least one of them hides an entry. Raises
    ValueError if the variant is not valid.
    """
    shapes = shapes_of(variant)
    seen = dict.fromkeys(PARTS, 1.0)
    for shape in shapes:
        for part in SHAPES[shape]:
            seen[part] *= 1 - share(share(ratio, len(shapes)), len(SHAPES[shape]))
    return {part: 1 - probability for part, probability in seen.items()}


def hide(shape_BWI: _Shape, probabilities: dict[str, Tensor], key: Tensor, done: Tensor) -> Tensor:
    """The mask of held-in entries to hide in step number ``done``, boolean, B x W x I: the union of the parts.

    ``probabilities`` holds a scalar tensor for each part to draw.
    """
    keys = dict(zip(PARTS, split_key(key, len(PARTS)), strict=True))
    hidden = (_PARTS[part](shape_BWI, probability, keys[part], done) for part, probability in probabilities.items())
    first_BWI, *others = hidden
    for other_BWI in others:
        first_BWI = first_BWI | other_BWI
    return first_BWI
