"""Chains, the text form of architectures: ``GRU(2) -> FF -> RoBERTa(1) -> FF -> exp``.

A chain is a sequence of blocks joined by ``->`` that ends with a head. Its text identifies the architecture in the
study, the figures and the submission; ``str(chain)`` returns it.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from nlb_search.models.architecture.heads import HEADS, Head
from nlb_search.models.architecture.named_chains import GROUPS, NAMED_CHAINS
from nlb_search.models.blocks import BLOCKS
from nlb_search.models.errors import ChainError
from nlb_search.models.hyperparameters import TRAINING

_ARROW = re.compile(r"->")
_AROUND_PARENTHESIS = re.compile(r"\s*([()])\s*")
_LINK = re.compile(r"\s*(?P<name>[A-Za-z][\w-]*)\s*(?:\(\s*(?P<argument>[^()]*?)\s*\))?\s*")
_LAYERS = re.compile(r"[1-9][0-9]?")
_BLOCK_NAMES = {name.lower(): name for name in BLOCKS}
_HEAD_NAMES = {name.lower(): name for name in HEADS}


@dataclass(frozen=True)
class Link:
    """A block as written in a chain. ``layers`` is the number in parentheses, or None if there is none."""

    name: str
    layers: int | None

    def __str__(self) -> str:
        return self.name if self.layers is None else f"{self.name}({self.layers})"


@dataclass(frozen=True)
class Chain:
    """An architecture: blocks in order, and the head that converts their output to rates."""

    links: tuple[Link, ...]
    head: Head

    def __str__(self) -> str:
        return " -> ".join([*map(str, self.links), self.head.name])

    def with_layers(self, num_layers: int | None) -> "Chain":
        """The chain as it is built with a value of ``num_layers``, which replaces the numbers of recurrent layers."""
        if num_layers is None:
            return self
        links = (Link(link.name, num_layers) if "num_layers" in BLOCKS[link.name].uses else link for link in self.links)
        return Chain(tuple(links), self.head)

    @property
    def hyperparameters(self) -> frozenset[str]:
        """Names of the hyperparameters that affect this chain or its training."""
        return TRAINING.union(*(BLOCKS[link.name].uses for link in self.links))

    def uses(self, hyperparameter: str) -> bool:
        """Whether the hyperparameter affects this chain or its training."""
        return hyperparameter in self.hyperparameters


def parse_chain(text: str) -> Chain:
    """Parse a chain: a known name (``rnnf``), or blocks and a head joined by ``->``. Case does not matter.

    Raises ChainError, which marks the position, if the text is not a valid chain.
    """
    text = NAMED_CHAINS.get(text.strip().lower(), text)
    pieces = _split(text)
    links = tuple(_link(text, start, piece) for start, piece in pieces[:-1])
    start, last = pieces[-1]
    if last.strip().lower() not in _HEAD_NAMES:
        if not links and _name_of(last) not in _BLOCK_NAMES:
            _reject(
                text,
                start,
                last,
                f"is not a known chain; write one of {', '.join([*NAMED_CHAINS, *GROUPS])}, or blocks and a head",
            )
        _reject(text, start, last, f"cannot end a chain; end it in {' or '.join(HEADS)}")
    if not links:
        _reject(text, start, last, f"has no block before it; start with one of {', '.join(BLOCKS)}")
    return Chain(links, HEADS[_HEAD_NAMES[last.strip().lower()]])


def _split(text: str) -> list[tuple[int, str]]:
    """The pieces between arrows, each with its start position."""
    ends = [*(arrow.span() for arrow in _ARROW.finditer(text)), (len(text), len(text))]
    starts = [0, *(after for _, after in ends)]
    return [(start, text[start:before]) for start, (before, _) in zip(starts, ends, strict=False)]


def _name_of(piece: str) -> str:
    return piece.split("(")[0].strip().lower()


def _link(text: str, start: int, piece: str) -> Link:
    whole = _AROUND_PARENTHESIS.sub(r"\1", piece.strip()).lower()
    if whole in _BLOCK_NAMES:
        return Link(_BLOCK_NAMES[whole], None)
    found = _LINK.fullmatch(piece)
    if found is None:
        _reject(text, start, piece, "is not a block; write one like GRU(2), joined to the next by ->")
    name = found["name"].lower()
    if name in _HEAD_NAMES:
        _reject(text, start, piece, "is a head but not at the end; move it to the end")
    if name not in _BLOCK_NAMES:
        _reject(text, start, piece, f"is not a known block; choose one of {', '.join(BLOCKS)}")
    block = BLOCKS[_BLOCK_NAMES[name]]
    argument = found["argument"]
    if not block.takes_layers:
        forms = " or ".join(form for form in BLOCKS if form.split("(")[0] == block.name)
        _reject(text, start, piece, f"takes no such argument; write {forms}")
    if not _LAYERS.fullmatch(argument):
        _reject(text, start, piece, f"needs a number of layers from 1 to 99 in its parentheses, like {block.name}(2)")
    return Link(block.name, int(argument))


def _reject(text: str, start: int, piece: str, why: str) -> NoReturn:
    """Raise ChainError with the position marked in the text of the chain."""
    fault = piece.strip()
    begin = start + len(piece) - len(piece.lstrip())
    end = begin + len(fault)
    marked = f"{text[:begin]}>>{text[begin:end]}<<{text[end:]}".strip()
    shown = f"'{fault}'" if fault else "nothing"
    raise ChainError(f"{shown} at position {begin + 1} of the chain {why}\n  {marked}")
