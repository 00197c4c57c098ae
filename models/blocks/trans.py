"""Trans(n): n pre-norm encoder layers over time."""

from nlb_search.models.blocks.attention import Attention


class Trans(Attention):
    """Self-attention that normalizes before each part (Xiong et al. 2020, https://arxiv.org/abs/2002.04745).

    No norm stands after the last layer: a chain may end in Trans, and its channels are then log-rates, which a norm
    would hold to one size for all neurons and recordings.
    """

    name = "Trans"
    norm_first = True
