from dataclasses import replace

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.search.sampling.spaces.default_settings import default_settings
from nlb_search.search.sampling.spaces.predefined_spaces import SPACES
from nlb_search.search.sampling.spaces.range_types import settings_of_parameters
from nlb_search.search.sampling.spaces.trial_parameters import sample, start_parameters
from nlb_search.search.workers.trial_replicates import split_settings
from tests.helpers.specifications import spec_of, written

ONLY_IN_FILES = {"batch_size", "contrastive_weight"}
CHAINS = ("GRU(2) -> FF -> exp", "FF -> RoBERTa(1) -> FF -> exp")


def test_paper_space_is_the_published_grid() -> None:
    """The table of the published search, for the settings that these chains have."""
    assert {name: set(range_.values) for name, range_ in SPACES["paper"].items()} == {
        "lr": {0.0005, 0.001, 0.005, 0.01, 0.015},
        "dropout": {0.46, 0.5, 0.6},
        "l2_weight": {0, 5e-7, 5e-8},
        "hidden": {32, 40, 64},
        "num_layers": {1, 2, 3},
        "bidirectional": {True, False},
        "input_size": {"DT", "dT"},
        "mask_ratio": {0.25, 0.27, 0.30},
        "mask_variant": {"dot line", "dot strip line", "strip line", "dot L", "strip L"},
    }


def test_wide_space_contains_paper_space() -> None:
    for name, range_ in SPACES["paper"].items():
        for value in range_.values:
            assert SPACES["wide"][name].parameters(name, value) is not None, (name, value)


@settings(max_examples=30)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 1000))
def test_draws_contain_only_hyperparameters_of_the_chain(name: str, seed: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    space = spec_of(name, CHAINS).space
    trial = study.ask()
    values = sample(trial, space, CHAINS)
    assert settings_of_parameters(trial.params) == values
    chain = parse_chain(values["architecture"])
    not_searched = ONLY_IN_FILES | (set(SPACES["wide"]) - set(SPACES[name]))
    assert set(values) == {"architecture", *chain.hyperparameters} - not_searched
    for parameter, value in values.items():
        if parameter != "architecture":
            assert space[parameter].parameters(parameter, value) is not None
    assert split_settings(values)[0] == chain


@pytest.mark.parametrize("name", sorted(SPACES))
def test_first_trial_has_default_hyperparameters(name: str) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(start_parameters(spec_of(name, CHAINS).space, CHAINS))
    architecture, hyper = split_settings(sample(study.ask(), spec_of(name, CHAINS).space, CHAINS))
    assert str(architecture) == CHAINS[0]
    # Only a file can search the batch size.
    usual = replace(default_settings(parse_chain(CHAINS[0])), batch_size=hyper.batch_size)
    assert usual.num_layers == 2
    if name == "paper":  # which has no weight decay, and neither the default dropout nor hidden and mask variant
        assert hyper.dropout in (0.46, 0.5, 0.6)
        drawn = {setting: getattr(hyper, setting) for setting in ("dropout", "hidden", "mask_variant")}
        usual = replace(usual, weight_decay=0.0, **drawn)
    assert hyper == usual


def test_first_trial_has_defaults_within_the_space() -> None:
    spec = spec_of(written("hidden = 64\ndropout = [0.1, 0.2]\nlr = { low = 1e-4, high = 1e-3 }"))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(start_parameters(spec.space, spec.architectures))
    values = sample(study.ask(), spec.space, spec.architectures)
    usual = vars(default_settings(parse_chain(spec.architectures[0])))
    assert {name for name, value in values.items() if usual.get(name) != value} == {
        "architecture",
        "hidden",
        "dropout",
        "lr",
    }
    assert values["hidden"] == 64
    assert values["dropout"] in (0.1, 0.2)
    assert 1e-4 <= values["lr"] <= 1e-3


def test_first_trial_has_num_layers_of_recurrent_block() -> None:
    spec = spec_of(written(""), ("Trans(3) -> GRU(1) -> FF -> exp",))
    assert start_parameters(spec.space, spec.architectures)["num_layers"] == 1


@pytest.mark.parametrize("block", ["Trans", "RoBERTa", "RoFormer", "STNDT"])
def test_attention_chains_start_with_smaller_lr_and_dropout_than_chains_of_convolutions(block: str) -> None:
    attention, convolutions = (f"Conv -> {block} -> FF -> exp",), ("Conv -> FF -> exp",)
    start, other = (
        start_parameters(spec_of(written(""), chains).space, chains) for chains in (attention, convolutions)
    )
    assert start["lr"] < other["lr"]
    assert start["dropout"] < other["dropout"]


def test_zero_is_drawn_about_half_of_the_time() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [SPACES["wide"]["l2_weight"].suggest(study.ask(), "l2_weight") for _ in range(200)]
    assert 70 < sum(value == 0 for value in drawn) < 130
    assert all(value == 0 or 1e-8 <= value <= 1e-6 for value in drawn)
