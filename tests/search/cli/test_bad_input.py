"""Invalid input gives an error of one or two lines and exit code 1 or 2, and leaves no files."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.processes.command import call, search
from tests.helpers.recordings.foreign_nwb import write_recording

NEW = ("--arch", "rnnf", "--trials", "1")


def _contents(folder: Path) -> set[Path]:
    # The write-ahead log of a SQLite database exists while this process has it open.
    return {path.relative_to(folder) for path in folder.rglob("*") if path.suffix not in (".db-wal", ".db-shm")}


def _rejected(tmp_path: Path, *arguments: str | Path, code: int, says: str) -> None:
    before = _contents(tmp_path)
    outcome = call(*arguments, cwd=tmp_path)
    assert outcome.code == code, outcome.err
    assert says in outcome.err
    message = outcome.err.partition("nlb-search: ")[2]
    assert len(message.strip().splitlines()) in (1, 2), outcome.err
    assert outcome.out == ""
    assert _contents(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--dataset", "mc_maz", *NEW), 2, "unknown dataset 'mc_maz': choose one of mc_maze, mc_rtt"),
        (("--dataset", "mc_rtt", "--arch", "GRU(2) -> FG -> exp", "--trials", "1"), 2, "GRU(2) -> >>FG<< -> exp"),
        (("--dataset", "mc_rtt", "--arch", "GRU(2) -> exp", "--trials", "1"), 2, "insert FF before exp"),
        (("--dataset", "mc_rtt", "--arch", "FF -> Sigmoid", "--trials", "1"), 2, "'Sigmoid' supports at most 1 spike"),
        (("--dataset", "mc_rtt", "--arch", "rnnf"), 2, "pass --trials to create it"),
        (("--trials", "1"), 2, "pass --dataset, --arch to create it"),
        (("--dataset", "mc_rtt", "--arch", "rnnf", "--trials", "0"), 2, "--trials"),
        (("--dataset", "mc_rtt", *NEW, "--sampler", "guess"), 2, "guess"),
        (("--dataset", "mc_rtt", *NEW, "--bin-size", "7"), 1, "bins of 7 ms: choose 5 or 20"),
        (("--dataset", "mc_rtt", *NEW, "--gpus", "9"), 2, "there is no GPU '9'"),
        (("--dataset", "mc_rtt", *NEW, "--data", "nowhere"), 1, "no NWB files of mc_rtt in nowhere/mc_rtt"),
        (("--dataset", "mc_rtt", *NEW, "--storage", "oracle://u:secret@h/d"), 1, "no driver for 'oracle'"),
        (("--dataset", "mc_rtt", *NEW, "--storage", "sqlite:////no/where/x.db"), 1, "the folder of the storage"),
        (("--dataset", "mc_rtt", *NEW, "--no-such-option"), 2, "--no-such-option"),
        (
            ("--dataset", "mc_rtt", *NEW, "--storage", "sqlite:////proc/x.db"),
            1,
            "cannot write to the checkpoint folder",
        ),
        (
            ("--dataset", "mc_rtt", *NEW, "--artifacts", "/proc/x"),
            1,
            "the checkpoint folder /proc/x",
        ),
    ],
)
def test_launch(arguments: tuple[str, ...], code: int, says: str, recordings: Path, tmp_path: Path) -> None:
    data = () if "--data" in arguments else ("--data", recordings)
    _rejected(tmp_path, "launch", "study", *arguments, *data, code=code, says=says)


def test_invalid_study_name_is_rejected(recordings: Path, tmp_path: Path) -> None:
    arguments = ("launch", "a/b", "--dataset", "mc_rtt", *NEW, "--data", recordings)
    _rejected(tmp_path, *arguments, code=2, says="'a/b' is not a valid study name")


@pytest.mark.parametrize("kept", [0, 1000, 100_000])
def test_truncated_recording_is_rejected(kept: int, recordings: Path, tmp_path: Path) -> None:
    data = tmp_path / "cut"
    shutil.copytree(recordings / "mc_rtt", data / "mc_rtt")
    file = next(data.rglob("*train*.nwb"))
    file.write_bytes(file.read_bytes()[:kept])
    arguments = ("launch", "study", "--dataset", "mc_rtt", *NEW, "--data", data)
    _rejected(tmp_path, *arguments, code=1, says="is not a complete NWB file" if kept else "is empty: copy or download")


def test_recording_of_another_dataset_is_rejected(recordings: Path, tmp_path: Path) -> None:
    data = tmp_path / "swapped"
    shutil.copytree(recordings / "mc_maze_small", data / "mc_rtt")
    arguments = ("launch", "study", "--dataset", "mc_rtt", *NEW, "--data", data)
    _rejected(tmp_path, *arguments, code=1, says="it looks like a recording of mc_maze")


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "study"),
        ("resume", "study"),
        ("worker", "study"),
        ("studies",),
        ("dashboard",),
        ("plot", "study", "--out", "figures"),
        ("report", "study", "--out", "report.html"),
        ("rescore", "study"),
        ("export-best", "study", "--out", "x.h5"),
    ],
)
def test_commands_without_database_are_rejected(arguments: tuple[str, ...], tmp_path: Path) -> None:
    _rejected(tmp_path, *arguments, code=1, says="there is no database")


@pytest.fixture(scope="module")
def searched(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study and a submission of it."""
    folder = tmp_path_factory.mktemp("searched")
    options = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "1", "--epochs", "2")
    search("study", *options, data=recordings, cwd=folder)
    assert call("export-best", "study", "--out", "val.h5", "--data", recordings, cwd=folder).code == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("status", "another"), "there is no study 'another' in this storage (it has: study)"),
        (("launch", "study", "--seed", "5"), "the study 'study' was created with --seed 0, not 5"),
        (
            ("launch", "study", "--trials", "9", "--dataset", "mc_maze"),
            "the study 'study' was created with --dataset mc_rtt, not mc_maze: remove the option",
        ),
        (("launch", "study", "--arch", "rnnf"), "--arch 'FF -> exp', not 'GRU(2) -> FF -> exp'"),
        (("export-best", "study", "--out", "no/such/folder/x.h5"), "the folder no/such/folder does not exist"),
        (("export-best", "study", "--out", "."), "is a folder: name a file"),
        (("export-best", "study", "--out", "nlb-search.db"), "nlb-search.db exists and is not a submission"),
        (
            ("evaluate", "val.h5", "--dataset", "mc_rtt", "--targets", "val.h5"),
            "lack eval_spikes_heldout",
        ),
        (("export-best", "study", "--out", "x.h5", "--artifacts", "elsewhere"), "pass the workers' checkpoint folder"),
        (("evaluate", "none.h5", "--dataset", "mc_rtt"), "cannot read none.h5 as a submission: No such file"),
        (("evaluate", "val.h5", "--dataset", "mc_maze"), "val.h5 has no group 'mc_maze' (it has mc_rtt)"),
        (("evaluate", "nlb-search.db", "--dataset", "mc_rtt"), "cannot read nlb-search.db as a submission"),
    ],
)
def test_invalid_arguments_with_existing_study_are_rejected(
    arguments: tuple[str, ...], says: str, searched: Path, recordings: Path
) -> None:
    data = ("--data", recordings) if arguments[0] != "status" else ()
    _rejected(searched, *arguments, *data, code=1, says=says)


def test_recording_of_another_study_is_rejected(searched: Path, tmp_path: Path) -> None:
    write_recording(tmp_path / "mc_rtt", "mc_rtt", trials=40, neurons=12, seed=1)
    commands = (
        ("worker", "study"),
        ("resume", "study"),
        ("rescore", "study"),
        ("export-best", "study", "--out", "x.h5"),
    )
    for command in commands:
        outcome = call(*command, "--data", tmp_path, cwd=searched)
        assert outcome.code == 1
        assert "the study 'study' was created from mc_rtt with content" in outcome.err
