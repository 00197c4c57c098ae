"""The blocks of the grammar, by the name they are written with. A new block is one class in one file, listed here."""

from models.blocks.block import Block
from models.blocks.conv import Conv
from models.blocks.deconv import Deconv
from models.blocks.feedforward import FF
from models.blocks.gru import GRU
from models.blocks.min_gru import MinGRU
from models.blocks.roberta import RoBERTa
from models.blocks.smooth_conv import SmoothConv
from models.blocks.trans import Trans

BLOCKS: dict[str, type[Block]] = {
    block.name: block for block in (GRU, MinGRU, FF, Conv, SmoothConv, Deconv, RoBERTa, Trans)
}

__all__ = ["BLOCKS", "Block"]
