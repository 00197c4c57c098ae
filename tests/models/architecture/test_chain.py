import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.named_chains import NAMED_CHAINS
from nlb_search.models.errors import ChainError

BLOCKS = st.sampled_from(["GRU", "GRU(1)", "GRU(3)", "minGRU", "minGRU(2)", "LRU(2)", "FF", "RoBERTa", "RoBERTa(2)"])
CHAINS = st.builds(
    lambda blocks, head: [*blocks, head], st.lists(BLOCKS, min_size=1, max_size=6), st.sampled_from(["exp", "Sigmoid"])
)


@given(CHAINS)
def test_chain_text_round_trip(links: list[str]) -> None:
    text = " -> ".join(links)
    assert str(parse_chain(text)) == text


def test_number_of_layers_replaces_that_of_recurrent_blocks_alone() -> None:
    chain = parse_chain("minGRU -> GRU(2) -> FF -> RoBERTa(2) -> FF -> exp")
    assert str(chain.with_layers(3)) == "minGRU(3) -> GRU(3) -> FF -> RoBERTa(2) -> FF -> exp"
    assert chain.with_layers(None) == chain


@given(CHAINS, st.sampled_from(["->", " ->", "  ->\t"]))
def test_spaces_and_case_do_not_matter(links: list[str], arrow: str) -> None:
    assert parse_chain(arrow.join(links).upper()) == parse_chain(" -> ".join(links))


@pytest.mark.parametrize("name", NAMED_CHAINS)
def test_named_chains(name: str) -> None:
    assert str(parse_chain(name)) == NAMED_CHAINS[name]
    assert parse_chain(f" {name.upper()} ") == parse_chain(NAMED_CHAINS[name])


@pytest.mark.parametrize(
    ("text", "place", "marked", "why"),
    [
        ("GRU(2) -> Fg -> exp", 11, "GRU(2) -> >>Fg<< -> exp", "is not a known block"),
        ("GRU(two) -> FF -> exp", 1, ">>GRU(two)<< -> FF -> exp", "needs a number of layers"),
        ("GRU(0) -> FF -> exp", 1, ">>GRU(0)<< -> FF -> exp", "needs a number of layers from 1 to 99"),
        ("GRU(100) -> FF -> exp", 1, ">>GRU(100)<< -> FF -> exp", "needs a number of layers from 1 to 99"),
        ("FF(2) -> exp", 1, ">>FF(2)<< -> exp", "takes no such argument; write FF"),
        ("GRU(2) -> FF", 11, "GRU(2) -> >>FF<<", "cannot end a chain"),
        ("GRU(2) -> exp -> FF -> exp", 11, "GRU(2) -> >>exp<< -> FF -> exp", "is a head but not at the end"),
        ("GRU(2) FF -> exp", 1, ">>GRU(2) FF<< -> exp", "is not a block"),
        ("GRU(2 -> FF -> exp", 1, ">>GRU(2<< -> FF -> exp", "is not a block"),
        ("GRU ->  -> exp", 9, ">><<", "nothing at"),
        ("exp", 1, ">>exp<<", "has no block before it"),
        ("lfads", 1, ">>lfads<<", "is not a known chain"),
    ],
)
def test_errors_mark_the_position(text: str, place: int, marked: str, why: str) -> None:
    with pytest.raises(ChainError) as error:
        parse_chain(text)
    message = str(error.value)
    assert f"at position {place} " in message
    assert marked in message
    assert why in message
    assert len(message.splitlines()) == 2


def test_chain_hyperparameters() -> None:
    assert "bidirectional" in parse_chain("GRU -> FF -> exp").hyperparameters
    assert "bidirectional" not in parse_chain("FF -> RoBERTa -> FF -> exp").hyperparameters
    assert {"lr", "l2_weight", "mask_ratio"} <= parse_chain("FF -> exp").hyperparameters
