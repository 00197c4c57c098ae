"""Study specifications like those of ``launch``, for tests without a recording."""

from typing import Any

from nlb_search.models.architecture.architectures import parse_architecture
from nlb_search.search.sampling.spaces.predefined_spaces import space_for
from nlb_search.search.sampling.spaces.range_types import NamedSpace
from nlb_search.search.sampling.spaces.space_file import named_space, parse_space
from nlb_search.search.study.specification import SearchSpec, installed_versions

RNNF = "GRU(2) -> FF -> exp"


def spec_of(space: str | NamedSpace = "wide", architectures: tuple[str, ...] = (RNNF,), **fields: Any) -> SearchSpec:
    """The specification of a study in a space: paper, wide, or one that ``parse_space`` read."""
    named = named_space(space) if isinstance(space, str) else space
    usual = {
        "dataset": "mc_rtt",
        "bin_ms": 5,
        "content_hash": "0",
        "sampler": "tpe",
        "pruner": "none",
        "trials": 20,
        "epochs": 27,
        "evaluate_every": 3,
        "batch_size": 32,
        "seed": 0,
        "versions": installed_versions(),
    }
    ranges = space_for(named, [parse_architecture(text) for text in architectures])
    return SearchSpec(architectures=architectures, space_name=named.name, space=ranges, **usual | fields)


def written(text: str) -> NamedSpace:
    """The space of a TOML text."""
    return parse_space("space.toml", text)
