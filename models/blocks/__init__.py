"""The blocks of a chain, by name. A new block is one class in one file, listed here.

It may import recurrences, hyperparameters, dropout and the shared modules of models.
"""

from nlb_search.models.blocks.bases.block import Block
from nlb_search.models.blocks.conv import Conv
from nlb_search.models.blocks.deconv import Deconv
from nlb_search.models.blocks.feedforward import FF
from nlb_search.models.blocks.gru import GRU
from nlb_search.models.blocks.lru import LRU
from nlb_search.models.blocks.min_gru import MinGRU
from nlb_search.models.blocks.roberta import RoBERTa
from nlb_search.models.blocks.roformer import RoFormer
from nlb_search.models.blocks.smooth_conv import SmoothConv
from nlb_search.models.blocks.stndt import STNDT
from nlb_search.models.blocks.trans import Trans

BLOCKS: dict[str, type[Block]] = {
    block.name: block for block in (GRU, MinGRU, LRU, FF, Conv, SmoothConv, Deconv, RoBERTa, Trans, RoFormer, STNDT)
}

__all__ = ["BLOCKS", "Block"]
