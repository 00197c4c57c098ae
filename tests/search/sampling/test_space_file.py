import re
import tomllib
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from optuna.samplers import RandomSampler

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.hyperparameters import ALLOWED, Hyperparameters
from nlb_search.models.masking.variant_names import INPUT_SIZES, PUBLISHED_SHAPES, SHAPES
from nlb_search.search.creation.differences import space_differences
from nlb_search.search.errors import UsageError
from nlb_search.search.sampling.spaces.predefined_spaces import SPACES, space_for
from nlb_search.search.sampling.spaces.range_types import Choice, FloatRange, IntRange, ZeroOrFloatRange
from nlb_search.search.sampling.spaces.space_file import named_space, parse_space
from nlb_search.search.sampling.spaces.trial_parameters import sample, start_parameters
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.workers.trial_replicates import split_settings
from tests.helpers.processes.command import call
from tests.helpers.specifications import RNNF, spec_of, written

EVERY_SETTING = "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp"
"""A chain that uses every hyperparameter."""

PAGE = (Path(__file__).parents[3] / "docs" / "spaces.md").read_text()


def test_example_in_docs() -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    named = parse_space("space.toml", example[1])
    assert named.name == "space.toml"
    assert named.ranges == SPACES["wide"] | {
        "hidden": Choice(values=(64,)),
        "mask_variant": Choice(values=("dot", "dot line")),
        "lr": FloatRange(low=0.001, high=0.02, log=True),
        "dropout": FloatRange(low=0.3, high=0.6),
        "l2_weight": ZeroOrFloatRange(low=1e-8, high=1e-5),
        "batch_size": Choice(values=(16, 32, 64)),
    }


def test_tables_in_docs_match_spaces() -> None:
    table = PAGE.partition("## Your own space")[0]
    rows = {row[0]: row[1:] for row in (line.strip("| ").split(" | ") for line in table.splitlines() if "|" in line)}
    assert rows["weight_decay"] == ["none", str(SPACES["wide"]["weight_decay"])]
    for setting in SPACES["paper"]:
        assert rows[setting][0] == str(SPACES["paper"][setting])
        if setting != "mask_variant":
            assert rows[setting][1] == str(SPACES["wide"][setting])
    assert str(SPACES["wide"]["mask_variant"]) == f"{SPACES['paper']['mask_variant']}, {', '.join(PUBLISHED_SHAPES)}"


def test_every_hyperparameter_default_is_allowed() -> None:
    usual = Hyperparameters(num_layers=2, batch_size=32)
    assert set(ALLOWED) == {*SPACES["wide"], "contrastive_weight", "batch_size"} == set(vars(usual)) - {"own"}
    assert set(SPACES["paper"]) == set(SPACES["wide"]) - {"weight_decay"}
    for setting, allowed in ALLOWED.items():
        assert allowed.read(getattr(usual, setting)) == getattr(usual, setting)


def test_integers_are_accepted_as_floats() -> None:
    named = written("base = 'paper'\nl2_weight = 0\nlr = { low = 1, high = 2 }\nhidden = { low = 8, high = 16 }")
    assert named.ranges == SPACES["paper"] | {
        "l2_weight": Choice(values=(0.0,)),
        "lr": FloatRange(low=1.0, high=2.0),
        "hidden": IntRange(low=8, high=16),
    }


def test_fixed_value_is_in_every_trial() -> None:
    spec = spec_of(written("hidden = 64"))
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    assert all(sample(study.ask(), spec.space, spec.architectures)["hidden"] == 64 for _ in range(5))
    assert {trial.params["hidden"] for trial in study.trials} == {64}


def test_num_layers_can_be_omitted() -> None:
    spec = spec_of(written("num_layers = 'chain'"), ("GRU(3) -> FF -> exp",))
    assert "num_layers" not in spec.space
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    _, hyper = split_settings(sample(study.ask(), spec.space, spec.architectures))
    assert hyper.num_layers is None


@pytest.mark.parametrize(("stored", "given"), [("", "num_layers = 'chain'"), ("num_layers = 'chain'", "")])
def test_space_without_num_layers_differs(stored: str, given: str) -> None:
    [difference] = space_differences(spec_of(written(stored)), written(given))
    assert "num_layers" in difference
    assert "left to the chain" in difference
    assert space_differences(spec_of(written(stored)), written(stored)) == []


REJECTED = [
    ("hiden = 64", "'hiden' is not a setting: choose one of lr, dropout, l2_weight, weight_decay, hidden"),
    ("base = 'big'", "'base' must be paper or wide, not 'big'"),
    ("lr = { low = 0.5, high = 0.1 }", "'lr' is 0.5 to 0.1: low must be below high"),
    ("lr = { low = 0.1, high = 0.1 }", "'lr' is 0.1 to 0.1: low must be below high"),
    ("lr = 0", "'lr' must be a number above 0, not 0"),
    ("lr = inf", "'lr' must be a number above 0, not inf"),
    ("lr = nan", "'lr' must be a number above 0, not nan"),
    ("lr = '0.1'", "'lr' must be a number above 0, not '0.1'"),
    ("lr = true", "'lr' must be a number above 0, not true"),
    ("lr = { low = 0.1, high = 1, zero = true }", "'lr' must be a number above 0, not 0"),
    ("lr = { low = 0.1 }", "'lr' is not a range (its 'high': field required)"),
    ("lr = { low = 0.1, hi = 1, high = 2 }", "'lr' is not a range (its 'hi': extra inputs are not permitted)"),
    ("lr = { low = 0.1, high = 1, log = 1 }", "'lr' is not a range (its 'log': input should be a valid boolean)"),
    ("lr = { low = true, high = 1 }", "'lr' must be a number above 0, not true"),
    ("lr = []", "'lr' is an empty list"),
    ("lr = [0.1, [0.2]]", "'lr' must be a number above 0, not [0.2]"),
    ("lr = 1979-05-27", "'lr' must be a number above 0, not"),
    ("dropout = 1.5", "'dropout' must be a number from 0 to below 1, not 1.5"),
    ("dropout = { low = 0.2, high = 1 }", "'dropout' must be a number from 0 to below 1, not 1"),
    ("dropout = { low = 0, high = 0.5, log = true }", "'dropout' has low = 0: low must be above 0"),
    ("l2_weight = -1e-8", "'l2_weight' must be 0 or a number above 0, not -1e-8"),
    ("l2_weight = { low = 1e-8, high = 1, zero = true, log = false }", "'l2_weight' cannot have log = false"),
    ("hidden = 64.0", "'hidden' must be an integer from 1 to 4096, not 64.0"),
    ("hidden = true", "'hidden' must be an integer from 1 to 4096, not true"),
    ("hidden = [32, 64, 32]", "'hidden' contains 32 more than once"),
    ("hidden = { low = 8, high = 16.5 }", "'hidden' must be an integer from 1 to 4096, not 16.5"),
    ("num_layers = 0", "'num_layers' must be an integer from 1 to 99, not 0"),
    ("bidirectional = 1", "'bidirectional' must be true or false, not 1"),
    ("bidirectional = { low = 0, high = 1 }", "'bidirectional' cannot be a range: write true or false"),
    ("input_size = 'dt'", "'input_size' must be DT or dT, not 'dt'"),
    ("mask_ratio = [0.3, 1]", "'mask_ratio' must be a number above 0 and below 1, not 1"),
    ("mask_variant = ['dot line', 'line dot']", "'mask_variant' contains 'line dot' more than once"),
    ("mask_variant = ['dot', 'blob']", "'mask_variant' must be one or more of dot, strip, line, L, span, each once"),
    (
        "mask_variant = 'dot dot'",
        "'mask_variant' must be one or more of dot, strip, line, L, span, each once, separated by spaces, not",
    ),
    ("lr = 0.1\nlr 0.2", "this is not TOML: Expected '=' after a key in a key/value pair (at line 2"),
    ("lr = 0.1\nlr = 0.2\n", "this is not TOML: Cannot overwrite a value (at line 2"),
]


@pytest.mark.parametrize(("text", "says"), REJECTED)
def test_invalid_space_files_are_rejected(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "space.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        named_space(str(file))
    assert str(error.value).startswith(f"{file}: {says}")
    assert len(str(error.value).splitlines()) == 1


def test_hyperparameter_unused_by_all_chains_is_rejected() -> None:
    with pytest.raises(UsageError, match=r"space.toml: hidden, num_layers are not used by FF -> exp:"):
        spec_of(written("lr = 0.1\nhidden = 64\nnum_layers = 1"), ("FF -> exp",))
    assert spec_of(written("hidden = 64"), ("FF -> exp", RNNF)).space["hidden"] == Choice(values=(64,))


def test_contrastive_weight_is_searched_for_chains_with_attention() -> None:
    weighted = written("contrastive_weight = { low = 0.001, high = 0.1, zero = true }")
    with pytest.raises(UsageError, match=r"contrastive_weight is not used by .*: remove it, or add a chain"):
        spec_of(weighted, (RNNF,))
    spec = spec_of(weighted, (RNNF, "FF -> STNDT(1) -> FF -> exp"))
    assert spec.space["contrastive_weight"] == ZeroOrFloatRange(low=0.001, high=0.1)
    recurrent, attentive = (start_parameters(spec.space, spec.architectures, number) for number in range(2))
    assert "contrastive_weight_use" not in recurrent
    assert attentive["contrastive_weight_use"] == "none"


def _stored(spec: SearchSpec) -> SearchSpec:
    """The space as restored from a study."""
    return SearchSpec.model_validate_json(spec.model_dump_json())


def test_joining_a_study_requires_the_same_space() -> None:
    text = "lr = [0.001, 1]\nhidden = 64\nbidirectional = true\nl2_weight = { low = 1e-8, high = 1e-5, zero = true }"
    spec = _stored(spec_of(written(text)))
    assert space_differences(spec, parse_space("renamed.toml", text)) == []
    assert space_differences(spec, written(text.replace("64", "65"))) == [
        "--space space.toml with hidden 64, not space.toml with 65"
    ]
    assert space_differences(_stored(spec_of("wide")), named_space("paper")) == [
        "--space wide with lr 0.0005 to 0.03, log-uniform, not paper with 0.0005, 0.001, 0.005, 0.01, 0.015"
    ]


@pytest.mark.parametrize(
    ("space", "arguments", "says"),
    [
        ("wid", (), "there is no space and no file 'wid': choose paper or wide, or give a TOML file"),
        (".", (), "cannot read the space .: Is a directory"),
        ("hiden.toml", (), "hiden.toml: 'hiden' is not a setting"),
        ("text.toml", (), "text.toml: 'utf-8' codec can't decode byte 0xff"),
        ("hidden.toml", (), "hidden.toml: hidden is not used by FF -> exp"),
        (
            "wide",
            ("--sampler", "grid"),
            "has ranges: lr (0.0005 to 0.03, log-uniform); dropout (0.2 to 0.7); l2_w",
        ),
        ("paper", ("--sampler", "grid"), "--trials 9999 is more than the 1350 combinations of the grid"),
        ("paper", ("--sampler", "cmaes"), "needs a numeric range that every chain has; space paper has none"),
    ],
)
def test_invalid_launch_writes_nothing(
    space: str, arguments: tuple[str, ...], says: str, recordings: Path, tmp_path: Path
) -> None:
    (tmp_path / "hiden.toml").write_text("hiden = 64")
    (tmp_path / "hidden.toml").write_text("hidden = 64")
    (tmp_path / "text.toml").write_bytes(b"\xff")
    before = set(tmp_path.iterdir())
    study = ("launch", "study", "--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "9999", "--data", recordings)
    outcome = call(*study, "--hours", "0", "--space", space, *arguments, cwd=tmp_path)
    assert outcome.code == 2
    assert says in outcome.err
    assert len(outcome.err.partition("nlb-search: ")[2].strip().splitlines()) == 1
    assert set(tmp_path.iterdir()) == before


REALS = {
    "lr": (1e-6, 10.0),
    "dropout": (0.0, 0.99),
    "l2_weight": (0.0, 1.0),
    "weight_decay": (0.0, 10.0),
    "mask_ratio": (0.01, 0.99),
    "contrastive_weight": (0.0, 10.0),
}


@st.composite
def _narrowed(draw: st.DrawFn, setting: str) -> tuple[str, Any]:
    """TOML text for a hyperparameter, and whether a drawn value is allowed by it."""
    if setting not in REALS and setting not in ("hidden", "num_layers", "batch_size"):
        possible = {
            "bidirectional": [True, False],
            "input_size": list(INPUT_SIZES),
            "mask_variant": [*SHAPES, "strip dot L", "line dot"],
        }[setting]
        values = draw(st.lists(st.sampled_from(possible), min_size=1, unique=True))
        return str(values).replace("True", "true").replace("False", "false"), lambda value: value in values
    least, most = REALS.get(setting, (1, 200))
    numbers = st.integers(1, 99) if setting not in REALS else st.floats(least, most, allow_subnormal=False)
    if draw(st.booleans()):
        values = draw(st.lists(numbers, min_size=1, max_size=4, unique=True))
        return str(values), lambda value: value in values
    low, high = sorted(draw(st.tuples(numbers, numbers)))
    kind = draw(st.sampled_from(["", ", log = true"] + [", zero = true"] * (least == 0)))
    assume(low < high and (low > 0 or not kind))
    return f"{{ low = {low}, high = {high}{kind} }}", lambda value: (
        # Logarithm and exponential may miss the end of a range by a rounding error.
        low * (1 - 1e-12) <= value <= high * (1 + 1e-12) or (value == 0 and "zero" in kind)
    )


@settings(max_examples=60)
@given(st.data(), st.sets(st.sampled_from(sorted(ALLOWED)), min_size=1), st.sampled_from(["paper", "wide"]))
def test_draws_lie_in_any_narrowed_space(data: st.DataObject, changed: set[str], base: str) -> None:
    narrowed = {setting: data.draw(_narrowed(setting), label=setting) for setting in sorted(changed)}
    text = "\n".join([f"base = '{base}'", *(f"{setting} = {toml}" for setting, (toml, _) in narrowed.items())])
    assert tomllib.loads(text)
    space = space_for(written(text), [parse_chain(EVERY_SETTING)])
    study = optuna.create_study(sampler=RandomSampler(seed=data.draw(st.integers(0, 99), label="seed")))
    for _ in range(3):
        values = sample(study.ask(), space, (EVERY_SETTING,))
        split_settings(values)
        for setting, value in values.items():
            if setting in narrowed:
                assert narrowed[setting][1](value), (setting, value)
            elif setting in ALLOWED:
                assert SPACES[base][setting].parameters(setting, value) is not None
                assert ALLOWED[setting].read(value) == value
