"""RoFormer(n): n pre-norm encoder layers over time with relative positions."""

from nlb_search.models.blocks.bases.attention import Attention
from nlb_search.models.blocks.bases.encoder_layer import EncoderLayer
from nlb_search.models.blocks.bases.relative_attention import RelativeAttention
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes


class RoFormer(Attention):
    """Encoder layers with norms before the sublayers, which know the distances between bins (``RelativeAttention``)."""

    name = "RoFormer"

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.layers.extend(
            EncoderLayer(RelativeAttention(width_in), width_in, hyper.dropout, norm_first=True) for _ in range(layers)
        )
