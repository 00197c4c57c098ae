"""A model that reads counts and writes rates as lines of text, for programs that talk to it through pipes."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from nlb_search.search.ensembles.weighted_networks import Rates
from nlb_search.search.errors import SearchError
from nlb_search.search.exported_models.model import Model


def rates_of_lines(model: Model, lines: Iterable[str]) -> Iterator[str]:
    """Yield one line of rates for each line of counts, as soon as it is read.

    A line has the counts of the held-in neurons in the next bin, as numbers between spaces or as a JSON list. The rates
    of all neurons, held-in then held-out, in spikes per bin, are written in the same form. An empty line starts a new
    trial and has no rates. Raises SearchError at once if a network reads later bins; the iterator raises it, with the
    number of the line, for a line that is not as many counts as there are held-in neurons.
    """
    model.stream().step(np.zeros((1, model.sizes.n_heldin)))  # the first step of a process takes longer
    return _rates(model, lines)


def _rates(model: Model, lines: Iterable[str]) -> Iterator[str]:
    stream = model.stream()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            stream = model.stream()
            continue
        is_json = line.lstrip().startswith("[")
        try:
            rates = stream.step(_counts(line, is_json, model.sizes.n_heldin)[None])[0]
        except SearchError as error:
            raise SearchError(f"line {number} of the input: {error}") from error
        yield _text(rates, is_json)


def _counts(line: str, is_json: bool, n_heldin: int) -> npt.NDArray[Any]:
    try:
        counts = np.asarray(json.loads(line) if is_json else line.split(), dtype=np.float64)
    except (ValueError, TypeError):
        counts = np.zeros(())
    if counts.ndim != 1:
        raise SearchError(f"'{line.strip()[:40]}' is not a list of numbers: give the counts of one bin")
    if len(counts) != n_heldin:
        raise SearchError(
            f"a line must have the counts of {n_heldin} held-in neurons, but it has {len(counts)} numbers"
        )
    return counts


def _text(rates: Rates, is_json: bool) -> str:
    """Rates with nine digits, which give the same float32 numbers when they are read."""
    numbers = [f"{rate:.9g}" for rate in rates.tolist()]
    return f"[{', '.join(numbers)}]" if is_json else " ".join(numbers)
