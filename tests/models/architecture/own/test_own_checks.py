"""A user's model is checked before a search."""

from pathlib import Path

import pytest

from nlb_search.models.architecture.own.checks import check_own_model
from nlb_search.models.architecture.own.model import parse_own_model
from nlb_search.models.errors import OwnModelError
from nlb_search.models.masking.variant_names import INPUT_SIZES
from tests.helpers.recordings.population import SIZES

SHAPE = (
    "returned log-rates of shape (3, 18, 12) for 3 trials of 18 bins and 8 held-in neurons: they must be (3, 24, 12)"
)


@pytest.mark.parametrize("text", ["own_nets:Good", "own_nets:Remembering", "tcn:TCN", "lfads:LFADS"])
def test_good_models_pass(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[4] / "docs" / "examples")
    check_own_model(parse_own_model(text), SIZES, INPUT_SIZES)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("OnlyWindow", SHAPE),
        ("WholeWindow", 'read the number of bins from the shape of the input, or write input_size = "DT"'),
        ("NotFinite", "forward returned log-rates that are not finite"),
        ("NoGradient", "forward in training has a gradient that is not finite"),
        ("Detached", "the log-rates do not depend on any parameter"),
        ("Doubles", "log-rates of type torch.float64: they must be torch.float32"),
        ("Pair", "forward returned tuple: it must return a tensor of log-rates"),
        ("Broken", "forward failed: RuntimeError: "),
        ("AlwaysRandom", "forward is random in eval mode"),
        ("AcrossTrials", "the log-rates of a trial depend on the other trials"),
        ("Normed", "changes the buffer norm.running_mean"),
        ("Forgetful", "predicts different rates after it is saved and loaded"),
        ("Tied", "the parameter again.weight is that of another name"),
        ("Frozen", "the parameter inner.weight is not trained: use register_buffer"),
        ("TwoAxes", "it must be a finite scalar tensor"),
        ("NoLoss", "forward_with_loss failed: ValueError: too many values to unpack"),
        ("Unbuilt", "building it failed: RuntimeError: no 8"),
        ("NoSettings", "NoSettings has no Settings: write a class Settings(pydantic.BaseModel)"),
        ("Absent", "has no class Absent"),
        ("NoModule", "own_nets:NoModule is not a subclass of torch.nn.Module"),
        ("Sizes", "own_nets:Sizes is not a subclass of torch.nn.Module"),
    ],
)
def test_faulty_models_are_rejected(name: str, says: str) -> None:
    with pytest.raises(OwnModelError) as error:
        check_own_model(parse_own_model(f"own_nets:{name}"), SIZES, INPUT_SIZES)
    assert says in str(error.value)


def test_model_of_whole_windows_passes_without_crops() -> None:
    check_own_model(parse_own_model("own_nets:WholeWindow"), SIZES, ("DT",))


def test_modules_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_broken.py").write_text("1 / 0\n")
    (tmp_path / "own_needy.py").write_text("import no_such_package\n")
    (tmp_path / "own_second.py").write_text("from own_nets import Good\n")
    for text, says in {
        "no_such_module:Net": "there is no module no_such_module: install it, add the folder that contains it to PYTH",
        "own_nets.inner:Net": "there is no module own_nets.inner",
        "own_broken:Net": "the module own_broken cannot be imported: ZeroDivisionError",
        "own_needy:Net": "own_needy needs the module no_such_package, which is not installed here",
        "own_second:Good": "Good is defined in own_nets: write own_nets:Good",
        "sys:Net": "the module sys has no source file",
    }.items():
        with pytest.raises(OwnModelError) as error:
            parse_own_model(text).imported()
        assert says in str(error.value)


def test_working_folder_hides_no_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_here.py").write_text("from own_nets import Good\nclass Net(Good): ...\n")
    (tmp_path / "wave.py").write_text("1 / 0\n")
    assert parse_own_model("own_here:Net").imported().__module__ == "own_here"
    with pytest.raises(OwnModelError, match="has no class Net"):
        parse_own_model("wave:Net").imported()
