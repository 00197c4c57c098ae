"""Trans(n): n pre-norm encoder layers over time."""

from nlb_search.models.blocks.bases.attention import AbsoluteAttention


class Trans(AbsoluteAttention):
    """Self-attention with a norm before each sublayer (Xiong et al. 2020, https://arxiv.org/abs/2002.04745).

    There is no norm after the last layer: a chain may end in Trans, and its output is then log-rates, which a norm
    would force to one scale for all neurons and recordings.
    """

    name = "Trans"
    norm_first = True
