"""docs/recordings.md takes a reader from each kind of file to a submission: its commands run as they are written."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pynapple as nap
import pytest
from scipy.io import savemat

from nlb_search.data import from_arrays
from tests.helpers.processes.command import Outcome, call
from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.phy_folder import write_phy_folder
from tests.helpers.recordings.toy_arrays import toy_arrays

PAGE = (Path(__file__).parents[1] / "docs" / "recordings.md").read_text()

FEW = ("--trials", "1", "--epochs", "1", "--workers", "0")
"""Options after those of `launch` on the page, which override them to save time."""


@dataclass(frozen=True)
class Block:
    """A block of code on the page: its language, which is empty for commands and output, and its text."""

    language: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        lines = self.text.replace("\\\n", " ").splitlines()
        return [shlex.split(line)[1:] for line in lines if line.startswith("nlb-search ")]


def sections() -> dict[str, list[Block]]:
    """The blocks of each section, by its title."""
    parts = re.split(r"^## (.+)\n", PAGE.removeprefix("# "), flags=re.MULTILINE)
    title, _, text = parts[0].partition("\n")
    parts[:1] = [title, text]
    return {
        title: [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


def task_session(seed: int = 0) -> OwnSession:
    session = OwnSession(seed=seed, n_trials=48, n_neurons=14)
    session.columns["go_cue"] = (session.start + 0.1).tolist()
    session.columns["tap1"] = (session.start + 0.12).tolist()
    session.columns["tap2"] = (session.start + 0.25 + 0.002 * np.arange(48)).tolist()
    session.columns["cue"] = ["short", "long", "long"] * 16
    session.columns["target"] = ["left", "right"] * 24
    session.columns["split"] = [("train", "train", "val", "test")[row % 4] for row in range(48)]
    session.units["quality"] = ["mua" if unit == 5 else "good" for unit in range(14)]
    return session


def write_session(path: Path, session: OwnSession, series: str = "hand_vel") -> None:
    with h5py.File(session.write(path), "a") as file:
        file.move("acquisition/paw", f"acquisition/{series}")


def nwb_file(folder: Path) -> dict[str, Any]:
    write_session(folder / "session.nwb", task_session())
    write_session(folder / "taps.nwb", task_session(2))
    for seed, day in enumerate(("monday", "tuesday")):
        write_session(folder / f"{day}.nwb", task_session(seed))
    return {}


def track(folder: Path) -> dict[str, Any]:
    session = OwnSession(n_trials=60)
    session.units["location"] = ["CA1"] * 10 + ["CA3"] * 2
    write_session(folder / "track.nwb", session, "position")
    with h5py.File(folder / "track.nwb", "a") as file:
        epochs = file.create_group("intervals/epochs")
        epochs["start_time"], epochs["stop_time"] = [0.0, 2.0, 50.0], [2.0, 50.0, 60.0]
        epochs["label"] = [b"rest", b"run", b"rest"]
    return {}


def phy_folder(folder: Path) -> dict[str, Any]:
    session = task_session()
    write_phy_folder(folder / "ks_output", session, {10 + unit: "good" for unit in range(12)})
    rows = zip(session.start, session.stop, session.columns["go_cue"], session.columns["split"], strict=True)
    text = "".join(f"{','.join(map(str, row))}\n" for row in rows)
    (folder / "ks_output" / "trials.csv").write_text(f"start_time,stop_time,go_cue,split\n{text}")
    return {}


def array_file(folder: Path) -> dict[str, Any]:
    arrays = toy_arrays()
    from_arrays(folder / "counts.h5", arrays, bin_ms=20)
    spikes = {name: values for name, values in arrays.items() if "_spikes_" in name}
    savemat(folder / "reach.mat", {"session": spikes})
    np.savez(folder / "grasp.npz", **spikes)
    return {}


def lfads_file(folder: Path) -> dict[str, Any]:
    arrays = toy_arrays()
    with h5py.File(folder / "lfads.h5", "w") as file:
        for name, split in (("train", "train"), ("valid", "eval")):
            spikes = np.concatenate([arrays[f"{split}_spikes_{kind}"] for kind in ("heldin", "heldout")], axis=2)
            file[f"{name}_encod_data"] = file[f"{name}_recon_data"] = spikes
    return {}


def python_arrays(_: Path) -> dict[str, Any]:
    arrays = toy_arrays(80, 40, n_neurons=40)
    parts = [[arrays[f"{split}_spikes_{kind}"] for kind in ("heldin", "heldout")] for split in ("train", "eval")]
    return {"spikes": np.concatenate([np.concatenate(kinds, axis=2) for kinds in parts])}


def pynapple_objects(_: Path) -> dict[str, Any]:
    session = task_session()
    spikes = nap.TsGroup(
        {unit: nap.Ts(times) for unit, times in enumerate(session.spikes)},
        time_support=nap.IntervalSet(0, session.end),
        metadata={"region": ["CA1"] * 12 + ["CA3"] * 2},
    )
    trials = nap.IntervalSet(session.start, session.stop, metadata={"go_cue": session.columns["go_cue"]})
    times = np.arange(0, session.end, 0.01)
    return {"spikes": spikes, "trials": trials, "position": nap.Tsd(times, session.latent(times))}


WAYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "Your own recording": nwb_file,
    "NWB files": nwb_file,
    "Recordings without trials": track,
    "Kilosort and phy": phy_folder,
    "Arrays with nlb_tools' names": array_file,
    "Arrays in lfads-torch's format": lfads_file,
    "Arrays in Python": python_arrays,
    "pynapple": pynapple_objects,
}
"""How the files, or the variables in Python, of each section with commands are made."""


def test_every_section_with_commands_is_run() -> None:
    assert {title for title, blocks in sections().items() if any(block.commands for block in blocks)} == set(WAYS)


def run_command(arguments: list[str], folder: Path) -> Outcome:
    """Run a command of the page; searches have one short trial, in this process."""
    if arguments[0] == "launch":
        launched = call(*arguments, *FEW, cwd=folder)
        return call("worker", arguments[1], cwd=folder) if launched.code == 0 else launched
    return call(*arguments, *(("--workers", "1") if arguments[0] == "export-best" else ()), cwd=folder)


@pytest.mark.parametrize("title", WAYS)
def test_commands_lead_to_a_scored_submission(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    variables = WAYS[title](tmp_path)
    scores = ""
    for block in sections()[title]:
        if block.language == "toml":
            name = re.match(r"# (\S+\.toml)", block.text)
            assert name is not None
            (tmp_path / name[1]).write_text(block.text)
        elif block.language == "python":
            exec(block.text, variables)  # noqa: S102
        for arguments in block.commands:
            ran = run_command(arguments, tmp_path)
            assert ran.code == 0, (arguments, ran.err)
            scores = scores + ran.out if arguments[0] == "evaluate" else scores
    assert "co-bps" in scores
    assert ("tp corr" in scores) == (title == "NWB files")
