"""Architectures: chains of blocks, and the user's own models. Their text names them everywhere."""

from collections.abc import Iterable, Sequence

from torch import Tensor

from nlb_search.models.architecture.chain import Chain, parse_chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.architecture.named_chains import AUTO, AUTO_CHAINS, AUTO_CHAINS_SINCE, GROUPS, SEPARATOR
from nlb_search.models.architecture.network import Network
from nlb_search.models.architecture.own.model import OwnModel, parse_own_model
from nlb_search.models.architecture.own.network import OwnNetwork
from nlb_search.models.errors import OwnModelError
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

Architecture = Chain | OwnModel


def parse_architecture(text: str) -> Architecture:
    """Parse a chain or ``MODULE:CLASS``, which is not imported. Raises ChainError or OwnModelError if it is neither."""
    return parse_own_model(text) if SEPARATOR in text else parse_chain(text)


def architectures_named(texts: Iterable[str], auto: tuple[str, ...] = AUTO_CHAINS) -> tuple[Architecture, ...]:
    """Parse several architectures. The name of a group is expanded to its members, ``auto`` to these chains;
    duplicates are removed.

    Raises ChainError or OwnModelError as ``parse_architecture`` does, and OwnModelError if two classes share a name.
    """
    groups = GROUPS | {AUTO: auto}
    members = (member for text in texts for member in groups.get(text.strip().lower(), (text,)))
    architectures = tuple(dict.fromkeys(map(parse_architecture, members)))
    models: dict[str, OwnModel] = {}
    for model in architectures:
        if isinstance(model, OwnModel) and models.setdefault(model.name, model) != model:
            raise OwnModelError(
                f"{models[model.name]} and {model} have the same class name, which begins the names of their "
                "hyperparameters: rename one"
            )
    return architectures


def architectures_ever_named(texts: Sequence[str]) -> list[tuple[Architecture, ...]]:
    """What ``architectures_named`` gives for these names in this version of the package, and in earlier ones."""
    return [architectures_named(texts, auto) for auto in reversed(AUTO_CHAINS_SINCE.values())]


def build_network(architecture: Architecture, sizes: Sizes, hyper: Hyperparameters, mean_counts: Tensor) -> Network:
    """The network of an architecture. ``mean_counts`` has N entries, in spikes per bin.

    Raises ChainError or OwnModelError if it cannot be built.
    """
    if isinstance(architecture, OwnModel):
        return OwnNetwork(architecture, sizes, hyper, mean_counts)
    return ChainNetwork(architecture, sizes, hyper, mean_counts)
