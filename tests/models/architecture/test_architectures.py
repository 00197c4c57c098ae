import pytest

from nlb_search.models.architecture.architectures import architectures_named
from nlb_search.models.architecture.named_chains import NAMED_CHAINS
from nlb_search.models.errors import ChainError, OwnModelError


def test_named_mean_expands_to_unique_chains() -> None:
    chains = architectures_named(["FF -> exp", "Neural-R-RoBERTa", "ff->exp", "rnnf"])
    assert list(map(str, chains)) == ["FF -> exp", NAMED_CHAINS["rnnf"], NAMED_CHAINS["neural-roberta"]]


def test_auto_stands_for_several_chains() -> None:
    chains = list(map(str, architectures_named(["auto", "rnnf", "FF -> exp"])))
    assert chains[0] == NAMED_CHAINS["rnnf"]
    assert chains[-1] == "FF -> exp"
    assert len(chains) == len(set(chains)) > 3


def test_unknown_name_error_suggests_means() -> None:
    with pytest.raises(ChainError, match="write one of rnnf, neural-roberta, neural-r-roberta, auto, or blocks"):
        architectures_named(["neural-s-roberta"])


def test_own_models_and_chains_are_named_together() -> None:
    assert list(map(str, architectures_named(["lab.nets:Net", "FF->exp", " lab.nets:Net "]))) == [
        "lab.nets:Net",
        "FF -> exp",
    ]


@pytest.mark.parametrize("text", ["./nets.py:Net", "lab/nets:Net", "nets:", ":Net", "lab:nets:Net", "C:/nets.py"])
def test_text_that_is_not_module_and_class_is_rejected(text: str) -> None:
    with pytest.raises(OwnModelError, match="write MODULE:CLASS, such as"):
        architectures_named([text])


def test_models_with_one_class_name_are_rejected() -> None:
    with pytest.raises(OwnModelError, match="a:Net and b:Net have the same class name"):
        architectures_named(["a:Net", "b:Net"])
