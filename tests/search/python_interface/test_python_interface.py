"""The public interface: it agrees with the command line, and rejects what the command line rejects."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import nlb_search as nlb
from nlb_search.data.errors import DataError
from nlb_search.search.errors import SearchError, UsageError
from tests.helpers.processes.command import call, search
from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.toy_arrays import toy_arrays

CHAINS = ["FF -> exp", "GRU(1) -> FF -> exp"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording from arrays and a finished study of it, made by the command line."""
    folder = tmp_path_factory.mktemp("toy")
    nlb.from_arrays(folder / "toy.h5", toy_arrays(), bin_ms=20)
    options = ["--dataset", "toy", "--bin-size", "20", "--trials", "4", "--epochs", "3", "--pruner", "none"]
    search("toy", *options, *(word for chain in CHAINS for word in ("--arch", chain)), data="toy.h5", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def study(folder: Path) -> nlb.Study:
    return nlb.load_study("toy", storage=f"sqlite:///{folder}/nlb-search.db")


def test_importing_the_package_is_fast_and_gives_every_public_name() -> None:
    code = "import sys, nlb_search; print(nlb_search.__version__, *{'numpy', 'optuna', 'torch'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [version("nlb-search")]
    assert set(nlb.__all__) <= set(dir(nlb))
    assert all(getattr(nlb, name) is not None for name in nlb.__all__)
    with pytest.raises(AttributeError, match="serach"):
        nlb.serach  # noqa: B018


def test_trials_are_those_of_the_study(folder: Path, study: nlb.Study) -> None:
    told = call("status", "toy", "--json", cwd=folder).json
    trials = study.trials()
    best = trials.loc[told["best"]["number"]]
    assert list(trials.index) == [0, 1, 2, 3]
    assert set(trials.state) == {"complete"}
    assert set(trials.architecture) == set(CHAINS)
    assert trials.co_bps.max() == best.co_bps == told["best"]["value"]
    assert best.co_bps_low < best.co_bps < best.co_bps_high
    assert best.vel_r2 == told["best"]["attrs"]["vel_r2"]
    assert best.lr == told["best"]["params"]["lr"]
    assert study.best is not None
    assert study.best.number == best.name
    assert repr(study).startswith("toy: 4 of 4 trials (4 complete, 0 pruned), best co-bps")


def test_figures_can_be_shown_and_saved(folder: Path, study: nlb.Study) -> None:
    figures = study.figures()
    images = study.save_figures(folder / "images", "svg")
    assert list(figures) == [image.stem for image in images]
    assert figures["history"].layout.title.text.startswith("toy: history")
    assert len(figures["curves"].data) == 4, "one line for each trial"
    assert all("<svg" in image.read_text() for image in images)
    with pytest.raises(UsageError, match="there is no format 'pdf'"):
        study.save_figures(folder / "images", "pdf")


def test_exported_rates_have_the_score_of_the_study_and_the_model_gives_them(folder: Path, study: nlb.Study) -> None:
    recording = nlb.open_recording("toy", folder / "toy.h5", bin_ms=20)
    assert study.export(folder / "out.h5", model=folder / "model") == [folder / "out.h5", folder / "model"]
    scores = nlb.evaluate(folder / "out.h5", recording)["toy_20"]
    assert study.best is not None
    assert scores["co-bps"] == pytest.approx(study.best.value, abs=1e-6)
    rates = nlb.load_model(folder / "model")(recording.val.heldin)
    assert rates.shape == recording.val.counts.shape


def test_exports_that_exclude_each_other_are_rejected_as_on_the_command_line(folder: Path, study: nlb.Study) -> None:
    with pytest.raises(UsageError, match="nothing to write"):
        study.export()
    for wrong, options in (
        ({"trial": 1, "ensemble": 2}, ("--trial", "1", "--ensemble", "2")),
        ({"seeds": 2}, ("--seeds", "2")),
    ):
        with pytest.raises(UsageError) as rejected:
            study.export(folder / "no.h5", **wrong)  # type: ignore[arg-type]
        assert str(rejected.value) in call("export-best", "toy", "--out", "no.h5", *options, cwd=folder).err
    assert not (folder / "no.h5").exists()


def test_existing_study_is_opened_only_for_its_own_recording(folder: Path, study: nlb.Study) -> None:
    storage = f"sqlite:///{folder}/nlb-search.db"
    recording = nlb.open_recording("toy", folder / "toy.h5", bin_ms=20)
    again = nlb.create_study("toy", recording, CHAINS, trials=4, storage=storage)
    assert again.status().finished == 4
    with pytest.raises(SearchError, match="created with"):
        nlb.create_study("toy", recording, CHAINS, trials=4, seed=5, storage=storage)
    (folder / "other").mkdir()
    other = nlb.from_arrays(folder / "other" / "toy.h5", toy_arrays(seed=1), bin_ms=20)
    with pytest.raises(SearchError, match="choose another name"):
        nlb.create_study("toy", other, CHAINS, trials=4, storage=storage)
    assert study.trials().shape[0] == 4


def test_arguments_out_of_range_are_rejected_before_anything_is_written(folder: Path, study: nlb.Study) -> None:
    recording = nlb.open_recording("toy", folder / "toy.h5", bin_ms=20)
    storage = f"sqlite:///{folder}/none.db"
    for wrong, said in (
        ({"trials": 0}, "trials=0: give a number from 1"),
        ({"trials": 4, "seed": -1}, "seed=-1: give a number from 0"),
        ({"trials": 4, "sampler": "tpee"}, "sampler='tpee': choose one of tpe"),
    ):
        with pytest.raises(UsageError, match=said):
            nlb.create_study("none", recording, CHAINS, storage=storage, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="workers=0"):
        study.run(workers=0)
    with pytest.raises(UsageError, match="phase='tset': choose one of val, test, both"):
        study.export(folder / "no.h5", phase="tset")  # type: ignore[arg-type]
    assert not (folder / "none.db").exists()


def test_settings_of_a_recording_are_those_of_a_settings_file(tmp_path: Path, recordings: Path) -> None:
    path = OwnSession().write(tmp_path / "session.nwb")
    recording = nlb.open_recording("session", path, bin_ms=10, heldout=0.5, forward_ms=50)
    assert (recording.n_forward_bins, recording.bin_ms) == (5, 10)
    assert abs(recording.n_heldin - recording.n_heldout) <= 1
    assert repr(recording).startswith(f"session: {recording.n_heldin} held-in")
    assert np.array_equal(recording.train.heldin[:, :, 0], recording.train.counts[:, :-5, 0])
    with pytest.raises(DataError, match="unknown setting 'holdout': choose one of heldout"):
        nlb.open_recording("session", path, holdout=0.5)
    with pytest.raises(DataError, match="dataset of the benchmark, with fixed window"):
        nlb.open_recording("mc_rtt", recordings, heldout=0.5)
