"""The networks of a model, and the weighted mean of their rates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from nlb_search.models.architecture.network import Network, predict

Rates = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class WeightedNetwork:
    """A network, the settings that it is built from, and its weight in the mean of rates; weights sum to 1."""

    network: Network
    settings: dict[str, object]
    weight: float

    @property
    def device(self) -> torch.device:
        return self.network.offset_N.device


def mean_rates(networks: Sequence[WeightedNetwork], heldin_BWI: torch.Tensor) -> Rates:
    """The mean rates of all neurons, trials x bins (window, then forward) x neurons, in spikes per bin.

    ``heldin_BWI`` are held-in counts in the window, trials x bins x neurons, of any dtype.
    """
    heldin_BWI = heldin_BWI.to(networks[0].device)
    # A generator, because the rates of all networks together may take gigabytes.
    weighted = (np.float32(member.weight) * predict(member.network, heldin_BWI).cpu().numpy() for member in networks)
    mean: Rates = sum(weighted, start=np.zeros(1, np.float32))
    return mean
