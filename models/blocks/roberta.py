"""RoBERTa(n): n post-norm encoder layers over time."""

from nlb_search.models.blocks.bases.attention import AbsoluteAttention


class RoBERTa(AbsoluteAttention):
    """Self-attention with a norm after each sublayer (Liu et al. 2019, https://arxiv.org/abs/1907.11692)."""

    name = "RoBERTa"
    norm_first = False
