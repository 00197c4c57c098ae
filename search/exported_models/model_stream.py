"""Predicting one bin after another with a model, for use during a recording."""

import numpy as np
import numpy.typing as npt
import torch

from nlb_search.models.architecture.stream import Stream
from nlb_search.models.errors import NotCausalError
from nlb_search.search.ensembles.weighted_networks import Rates, WeightedNetwork
from nlb_search.search.errors import SearchError
from nlb_search.search.exported_models.card import Card
from nlb_search.search.exported_models.counts import check_counts


class ModelStream:
    """The rates of one bin after another, from the first bin of a trial. ``Model.stream`` creates it."""

    def __init__(self, networks: tuple[WeightedNetwork, ...], card: Card) -> None:
        """Raises SearchError if a network reads later bins."""
        self._streams = [(_stream(member), member.weight) for member in networks]
        self._n_heldin = card.sizes.n_heldin
        self._device = networks[0].device
        self._n_trials: int | None = None

    def step(self, heldin: npt.ArrayLike) -> Rates:
        """Predict the rates of the next bin.

        ``heldin`` are the counts of the held-in neurons in this bin, trials x neurons, in spikes per bin. In a running
        recording, there is one trial. The result is float32, trials x neurons (held-in, then held-out), in spikes per
        bin. It equals the same bin of ``Model.__call__`` up to rounding. In the forward bins, pass zeros.

        Raises SearchError if the array has another shape than in the bins before, or values that are not counts.
        """
        counts = np.asarray(heldin)
        self._n_trials = self._n_trials or len(np.atleast_1d(counts))
        if counts.shape != (self._n_trials, self._n_heldin):
            raise SearchError(
                f"a step reads {self._n_trials} trials x {self._n_heldin} held-in neurons, but the array has the shape "
                f"{counts.shape}; start a new stream for other trials"
            )
        check_counts(counts)
        heldin_BI = torch.from_numpy(counts.astype(np.float32)).to(self._device)
        rates: Rates = sum(
            (np.float32(weight) * stream.step(heldin_BI).cpu().numpy() for stream, weight in self._streams),
            start=np.zeros(1, np.float32),
        )
        return rates


def _stream(member: WeightedNetwork) -> Stream:
    try:
        return Stream(member.network)
    except NotCausalError as error:
        raise SearchError(
            f"the chain {member.settings['architecture']} cannot predict bin by bin: {error}; search chains of GRU, "
            "minGRU, LRU and FF with bidirectional = false"
        ) from error
