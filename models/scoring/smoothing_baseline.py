"""The spike smoothing baseline (Pei et al. 2021, section 4).

Held-in counts are smoothed with a Gaussian of 50 ms standard deviation. The rates of each held-out neuron are a Poisson
regression on the logarithms of the smoothed counts.
"""

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter1d
from sklearn.linear_model import PoissonRegressor
from torch import Tensor

from nlb_search.models.tensors import Counts

KERNEL_SD_MS = 50.0
SMALLEST = 1e-4
"""Added to the smoothed counts, in spikes per bin, so that their logarithm is finite."""

RIDGE = 1e-3
"""Weight of the squared coefficients in the regression: enough for neurons that rarely spike."""


def smoothed_rates(train: Counts, heldin_BWI: Tensor, bin_ms: int) -> Tensor:
    """Rates of the held-out neurons in the window, trials x bins x held-out, in spikes per bin.

    The regression is fitted on ``train``, without unknown counts; ``heldin_BWI`` are the held-in counts to predict
    from.
    """
    sizes = train.sizes
    inputs, predictors = _log_smoothed(train.heldin_BWI, bin_ms), _log_smoothed(heldin_BWI, bin_ms)
    targets = train.target_BTN[:, : sizes.n_window, sizes.n_heldin :].reshape(-1, sizes.n_heldout).numpy()
    known = ~torch.isnan(torch.from_numpy(targets)).any(dim=1).numpy()
    rates = []
    for neuron in range(sizes.n_heldout):
        readout = PoissonRegressor(alpha=RIDGE, solver="newton-cholesky")
        readout.fit(inputs[known], targets[known, neuron])
        rates.append(torch.from_numpy(readout.predict(predictors)))
    return torch.stack(rates, dim=1).reshape(len(heldin_BWI), sizes.n_window, sizes.n_heldout)


def _log_smoothed(heldin_BWI: Tensor, bin_ms: int) -> npt.NDArray[np.float64]:
    """Predictors of every bin, (trials x bins) x held-in, for scikit-learn."""
    smooth = gaussian_filter1d(heldin_BWI.double().numpy(), KERNEL_SD_MS / bin_ms, axis=1, mode="reflect")
    return np.asarray(np.log(smooth + SMALLEST).reshape(-1, heldin_BWI.shape[2]))
