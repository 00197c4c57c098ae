"""An exported model, which maps held-in spike counts to rates of all neurons."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from nlb_search.models.tensors import Sizes
from nlb_search.search.ensembles.weighted_networks import Rates, WeightedNetwork, mean_rates
from nlb_search.search.errors import SearchError
from nlb_search.search.exported_models.card import Card
from nlb_search.search.exported_models.counts import check_counts
from nlb_search.search.exported_models.model_stream import ModelStream


@dataclass(frozen=True, eq=False)
class Model:
    """The weighted mean of the rates of one or several networks, as a callable. ``load_model`` creates it.

    ``card`` says where the model comes from: its study, recording and units, its trials with their settings and
    weights, and its score. ``model.card.bin_ms`` is the bin width of counts and rates in ms.
    """

    networks: tuple[WeightedNetwork, ...]
    card: Card

    @property
    def sizes(self) -> Sizes:
        """Numbers of neurons (``n_heldin``, ``n_heldout``) and bins (``n_window``, ``n_forward``)."""
        return self.card.sizes

    def __call__(self, heldin: npt.ArrayLike) -> Rates:
        """Predict firing rates from spike counts.

        ``heldin`` are the counts of the held-in neurons in the window of each trial, trials x bins x neurons, in spikes
        per bin; with the neurons in the order of ``card.heldin_units``. The result is float32, trials x bins x neurons,
        in spikes per bin: the bins of the window, then the forward bins; the held-in neurons, then the held-out ones.

        Raises SearchError if the array has another shape, or values that are not counts.
        """
        counts = np.asarray(heldin)
        expected = (self.sizes.n_window, self.sizes.n_heldin)
        if counts.ndim != 3 or counts.shape[1:] != expected:
            raise SearchError(
                f"the model reads trials x {expected[0]} bins of {self.card.bin_ms} ms x {expected[1]} held-in "
                f"neurons, but the array has the shape {counts.shape}"
            )
        check_counts(counts)
        return mean_rates(self.networks, torch.from_numpy(counts.astype(np.float32)))

    def stream(self) -> ModelStream:
        """Start to predict the bins of a trial one by one, each as soon as its spikes are known.

        Raises SearchError, with the name of the block, if a network reads later bins.
        """
        return ModelStream(self.networks, self.card)
