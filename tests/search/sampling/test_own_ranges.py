"""The search space of a user's model."""

import optuna
import pytest
from optuna.samplers import RandomSampler

from nlb_search.models.errors import OwnModelError
from nlb_search.search.errors import UsageError
from nlb_search.search.sampling.grid import grid_of
from nlb_search.search.sampling.samplers import make_sampler
from nlb_search.search.sampling.spaces.predefined_spaces import SPACES
from nlb_search.search.sampling.spaces.range_types import Choice, FloatRange, IntRange
from nlb_search.search.sampling.spaces.trial_parameters import sample, start_parameters
from nlb_search.search.workers.trial_replicates import split_settings
from tests.helpers.specifications import RNNF, spec_of, written

GOOD = "own_nets:Good"


def test_class_implies_ranges() -> None:
    space = spec_of("wide", (GOOD,)).space
    own = {
        "Good.channels": IntRange(low=2, high=16),
        "Good.kind": Choice(values=("relu", "tanh")),
        "Good.bias": Choice(values=(True, False)),
        "Good.scale": FloatRange(low=0, high=2),
    }
    training = ("lr", "l2_weight", "weight_decay", "input_size", "mask_ratio", "mask_variant")
    assert space == {name: SPACES["wide"][name] for name in training} | own


def test_table_of_a_file_replaces_ranges() -> None:
    text = "[Good]\nchannels = [4, 8]\nbias = false\ngain = { low = 0.1, high = 10, log = true }\n"
    space = spec_of(written(text), (GOOD, RNNF)).space
    assert space["Good.channels"] == Choice(values=(4, 8))
    assert space["Good.bias"] == Choice(values=(False,))
    assert space["Good.gain"] == FloatRange(low=0.1, high=10, log=True)
    assert space["Good.kind"] == Choice(values=("relu", "tanh"))
    assert space["hidden"] == SPACES["wide"]["hidden"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "[Good]\nchanels = 4",
            "own_nets:Good has no hyperparameter 'chanels': its hyperparameters are channels, gain",
        ),
        ("[Good]\nchannels = 1", "'Good.channels' must be an integer at least 2 and at most 16, not 1"),
        (
            "[Good]\nchannels = { low = 4, high = 40 }",
            "'Good.channels' must be an integer at least 2 and at most 16",
        ),
        ("[Good]\ngain = 0", "'Good.gain' must be a number above 0, not 0"),
        ("[Good]\nkind = 'gelu'", "'Good.kind' must be one of 'relu', 'tanh', not 'gelu'"),
        ("[Good]\nbias = 1", "'Good.bias' must be true or false, not 1"),
        ("[Gut]\nchannels = 4", "'Gut' is neither a setting nor the class of a model with --arch MODULE:Gut"),
        ("hidden = 4", "hidden is not used by own_nets:Good"),
    ],
)
def test_invalid_tables_are_rejected(text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        spec_of(written(text), (GOOD,))
    assert str(error.value).startswith(f"space.toml: {says}")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("WrongSettings", "the hyperparameter WrongSettings.sizes has the type list"),
        ("NoDefault", "the hyperparameter NoDefault.channels has no default"),
        ("WrongDefault", "the default of the hyperparameter WrongDefault.channels must be an integer"),
        ("Reserved", "the name of the hyperparameter Reserved.dropout_use ends with _use"),
        ("FromZero", "the hyperparameter FromZero.extra has ge=0"),
    ],
)
def test_invalid_settings_classes_are_rejected(name: str, says: str) -> None:
    with pytest.raises(OwnModelError) as error:
        spec_of("wide", (f"own_nets:{name}",))
    assert str(error.value).startswith(says)


def test_trials_have_only_the_settings_of_their_architecture() -> None:
    spec = spec_of("wide", (GOOD, RNNF))
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    for architecture in (GOOD, RNNF):
        study.enqueue_trial({"architecture": architecture})
        values = sample(study.ask(), spec.space, spec.architectures)
        assert ("Good.channels" in values) == (architecture == GOOD)
        assert ("hidden" in values) == (architecture == RNNF)
        found, hyper = split_settings(values)
        assert str(found) == architecture
        assert set(hyper.own) == ({"channels", "kind", "bias", "scale"} if architecture == GOOD else set())


def test_first_trial_has_the_defaults_of_the_class() -> None:
    spec = spec_of("wide", (GOOD,))
    assert (
        start_parameters(spec.space, spec.architectures).items()
        >= {
            "lr": 0.01,
            "Good.channels": 6,
            "Good.kind": "tanh",
            "Good.bias": True,
            "Good.scale": 0.5,
        }.items()
    )
    study = optuna.create_study(sampler=make_sampler(spec.sampling, 1))
    assert len(sample(study.ask(), spec.space, spec.architectures)) == len(spec.space) + 1


def test_grid_has_the_choices_of_each_architecture() -> None:
    fixed = "lr = 0.01\nl2_weight = 0\ninput_size = 'DT'\nmask_ratio = 0.2\nmask_variant = 'dot'\n"
    text = f"base = 'paper'\n{fixed}[Good]\nchannels = [4, 8]\nscale = 1\n"
    spec = spec_of(written(text), (GOOD, "FF -> exp"), sampler="grid")
    # channels x kind x bias, and the dropout of FF
    assert grid_of(spec.space, spec.architectures).size == 2 * 2 * 2 + 3


def test_batch_size_is_searched_only_in_a_file() -> None:
    assert "batch_size" not in spec_of("wide").space
    spec = spec_of(written("batch_size = [16, 32, 64]"))
    assert spec.space["batch_size"] == Choice(values=(16, 32, 64))
    assert start_parameters(spec.space, spec.architectures)["batch_size"] == 32
