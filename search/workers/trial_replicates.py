"""The trainings of a trial, built from its settings."""

from collections.abc import Mapping
from typing import Any

import torch

from nlb_search.models.architecture.architectures import Architecture, parse_architecture
from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.models.hyperparameters import TRAINING, Hyperparameters
from nlb_search.models.tensors import Counts
from nlb_search.models.training.replicates import Replicates
from nlb_search.models.training.training import Training
from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE
from nlb_search.search.study.specification import SearchSpec


def split_settings(values: Mapping[str, Any]) -> tuple[Architecture, Hyperparameters]:
    """Split a trial's settings into its architecture and its hyperparameters."""
    architecture = parse_architecture(values[ARCHITECTURE])
    others = {name: value for name, value in values.items() if name != ARCHITECTURE}
    if not isinstance(architecture, OwnModel):
        return architecture, Hyperparameters(**others)
    own = {name.removeprefix(architecture.prefix): others.pop(name) for name in list(others) if name not in TRAINING}
    return architecture, Hyperparameters(**others, own=own)


def build_replicates(
    values: Mapping[str, Any], number: int, spec: SearchSpec, train: Counts, device: torch.device
) -> Replicates:
    """The trainings of trial ``number`` of a study with these settings, one for each of the study's ``seeds``."""
    architecture, hyper = split_settings(values)
    seeds = [spec.network_seed(number, repeat) for repeat in range(spec.seeds)]
    return Replicates([Training(architecture, hyper, spec.plan, train, seed, device) for seed in seeds])
