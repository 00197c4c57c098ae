"""Several chains in one study, and the mean of their rates."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import call, search

RNNF, ROBERTA, FF = "GRU(2) -> FF -> exp", "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp", "FF -> exp"
GRU_ALONE = {"num_layers", "bidirectional"}


@pytest.fixture(scope="module")
def folder(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of three chains, two of them given by the name of their mean."""
    folder = tmp_path_factory.mktemp("means")
    launched = search(
        *("study", "--dataset", "mc_rtt", "--arch", "neural-r-roberta", "--arch", "rnnf", "--arch", FF),
        *("--trials", "4", "--epochs", "2", "--sampler", "random", "--pruner", "none", "--space", "paper"),
        data=recordings,
        cwd=folder,
    )
    assert "`nlb-search export-best study --arch neural-r-roberta --out FILE.h5`" in launched.out
    return folder


def _study(folder: Path) -> OpenStudy:
    return open_named_study(Locations(parse_url(f"sqlite:///{folder}/nlb-search.db"), folder, folder), "study")


def _exported(folder: Path, recordings: Path, *arguments: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the attributes of an export with these arguments."""
    exported = call("export-best", "study", "--out", "x.h5", *arguments, "--data", recordings, cwd=folder)
    assert exported.code == 0, exported.err
    with h5py.File(folder / "x.h5") as file:
        group = file["mc_rtt"]
        return {name: group[name][()] for name in group if "_rates_" in name}, dict(group.attrs)


def test_named_mean_adds_unique_chains(folder: Path) -> None:
    assert _study(folder).spec.architectures == (RNNF, ROBERTA, FF)


def test_every_chain_is_sampled_with_only_its_hyperparameters(folder: Path) -> None:
    trials = _study(folder).study.get_trials()
    assert {trial.params["architecture"] for trial in trials} == {RNNF, ROBERTA, FF}
    for trial in trials:
        has_gru = trial.params["architecture"] != FF
        assert GRU_ALONE & trial.params.keys() == (GRU_ALONE if has_gru else set())
        trained = trial.params["architecture"].replace("GRU(2)", f"GRU({trial.params.get('num_layers')})")
        assert trial.user_attrs["architecture"] == trained


def test_status_and_plot_with_several_chains(folder: Path) -> None:
    whole = json.loads(call("status", "study", "--json", cwd=folder).out)
    best = whole["best"]
    assert best["attrs"]["architecture"] in " ".join(call("status", "study", cwd=folder).out.split())
    assert best["params"]["architecture"] in (RNNF, ROBERTA, FF)
    said = call("status", "study", cwd=folder)
    assert said.code == 0
    words = " ".join(said.out.split())
    for chain, of_chain in whole["best_of_chains"].items():
        known = f"{of_chain['value']:.4f} (trial {of_chain['number']})" if of_chain else "no complete trial yet"
        assert f"{chain}: {known}" in words
    assert max(one["value"] for one in whole["best_of_chains"].values() if one) == best["value"]
    plotted = call("plot", "study", "--out", "figures", cwd=folder)
    assert plotted.code == 0, plotted.err
    assert "RoBERTa" in (folder / "figures" / "chains.html").read_text()


def test_mean_averages_rates_of_best_trials(folder: Path, recordings: Path) -> None:
    (rnnf, of_rnnf), (roberta, of_roberta) = (
        _exported(folder, recordings, "--arch", chain) for chain in ("rnnf", ROBERTA)
    )
    mean, of_mean = _exported(folder, recordings, "--arch", "neural-r-roberta")
    for name, rates in mean.items():
        np.testing.assert_allclose(rates, (rnnf[name] + roberta[name]) / 2, rtol=1e-5)
        assert not np.allclose(rates, rnnf[name])
    assert of_mean["trials"] == f"{of_rnnf['trials']}, {of_roberta['trials']}"
    assert of_mean["architecture"] == f"{of_rnnf['architecture']}; {of_roberta['architecture']}"
    best = {trial.params["architecture"]: trial.number for trial in sorted(_study(folder).study.trials, key=_value)}
    assert of_mean["trials"] == f"{best[RNNF]}, {best[ROBERTA]}"


def _value(trial: object) -> float:
    return trial.value  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--arch", "GRU(1) -> FF -> exp"), "does not search 'GRU(1) -> FF -> exp' (it searches GRU(2) -> FF -> exp"),
        (("--arch", "rnnf", "--ensemble", "7"), "complete trials of 'GRU(2) -> FF -> exp', fewer than the 7 requested"),
    ],
)
def test_unavailable_chains_are_rejected(arguments: tuple[str, ...], says: str, folder: Path, recordings: Path) -> None:
    rejected = call("export-best", "study", "--out", "no.h5", *arguments, "--data", recordings, cwd=folder)
    assert rejected.code == 1
    assert says in rejected.err
    assert not (folder / "no.h5").exists()


def _co_bps(folder: Path, recordings: Path) -> float:
    evaluated = call("evaluate", "x.h5", "--dataset", "mc_rtt", "--json", "--data", recordings, cwd=folder)
    assert evaluated.code == 0, evaluated.err
    return float(json.loads(evaluated.out)["mc_rtt"]["co-bps"])


def test_an_ensemble_selected_on_val_scores_at_least_as_high_as_the_best_trial(folder: Path, recordings: Path) -> None:
    _, attributes = _exported(folder, recordings, "--ensemble", "auto")
    weights = [float(weight) for weight in attributes["weights"].split(", ")]
    assert sum(weights) == pytest.approx(1, abs=1e-3)
    assert len(weights) == len(attributes["trials"].split(", "))
    best = max(trial.value or 0.0 for trial in _study(folder).study.get_trials())
    assert _co_bps(folder, recordings) >= best - 1e-4


def test_any_complete_trial_can_be_exported(folder: Path, recordings: Path) -> None:
    trials = sorted(_study(folder).study.get_trials(), key=lambda trial: trial.value or 0.0)
    _, attributes = _exported(folder, recordings, "--trial", str(trials[0].number))
    assert attributes["trials"] == str(trials[0].number)
    assert _co_bps(folder, recordings) == pytest.approx(trials[0].value, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trial", "17"), "no network for trial 17: choose one of 0, 1, 2, 3"),
        (("--trial", "1", "--ensemble", "auto"), "--trial selects a single trial: remove --ensemble"),
        (("--ensemble", "all"), "--ensemble all: pass a number of trials (1 or more), or auto"),
        (("--ensemble", "0"), "--ensemble 0: pass a number of trials (1 or more), or auto"),
    ],
)
def test_a_selection_that_makes_no_sense_is_rejected(
    folder: Path, recordings: Path, arguments: tuple[str, ...], message: str
) -> None:
    rejected = call("export-best", "study", "--out", "none.h5", *arguments, "--data", recordings, cwd=folder)
    assert rejected.code in (1, 2)
    assert message in " ".join(rejected.err.split())
    assert not (folder / "none.h5").exists()
