"""The blocks of the grammar, by the name they are written with. A new block is one class in one file, listed here."""

from models.blocks.block import Block
from models.blocks.feedforward import FF
from models.blocks.gru import GRU
from models.blocks.roberta import RoBERTa

BLOCKS: dict[str, type[Block]] = {block.name: block for block in (GRU, FF, RoBERTa)}

__all__ = ["BLOCKS", "FF", "GRU", "Block", "RoBERTa"]
