"""The contrastive loss of the spatiotemporal transformer (Le & Shlizerman 2022, https://arxiv.org/abs/2206.04727).

Two views of a trial are what a network computes under two masks. The loss is low if the two views of a trial are more
similar than views of different trials, so that the network depends little on what is hidden.
"""

import torch
from torch import Tensor
from torch.nn import functional

TEMPERATURE = 0.07
"""Divides the similarities: the smaller it is, the more the most similar other trials count. STNDT's value."""


def contrastive_loss(first_BTC: Tensor, second_BTC: Tensor) -> Tensor:
    """InfoNCE between two views of the trials of a batch, in nats per view, a scalar (Chen et al. 2020,
    https://arxiv.org/abs/2002.05709).

    Views are compared by the cosine of the angle between all their values. Each view has to be recognized as the
    partner of the other view of its trial, among all views of the batch. It is 0 for a batch of one trial.
    """
    views_VX = functional.normalize(torch.cat([first_BTC, second_BTC]).flatten(1), dim=1)
    partners_VX = views_VX.roll(len(first_BTC), dims=0)
    similarity_VV = views_VX @ views_VX.T / TEMPERATURE
    itself_VV = torch.eye(len(views_VX), dtype=torch.bool, device=views_VX.device)
    others_V = similarity_VV.masked_fill(itself_VV, -torch.inf).logsumexp(dim=1)
    return (others_V - (views_VX * partners_VX).sum(dim=1) / TEMPERATURE).mean()
