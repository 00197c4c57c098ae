"""R2 from sums of squares, as scikit-learn defines it. S samples, C targets; all sums use float64."""

import torch
from torch import Tensor


def spread(truth_SC: Tensor) -> Tensor:
    """Squared distances from the mean, summed over samples."""
    truth_SC = truth_SC.double()
    return (truth_SC - truth_SC.mean(dim=0)).square().sum(dim=0)


def r2(residual: Tensor, spread_C: Tensor) -> Tensor:
    """R2 from sums of squares ... x C, averaged over C.

    Constant targets score as in scikit-learn: 1 if they are predicted exactly, otherwise 0.
    """
    return torch.where(spread_C == 0, (residual == 0).double(), 1 - residual / spread_C).mean(dim=-1)
