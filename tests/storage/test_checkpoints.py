import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from nlb_search.storage.checkpoints import Checkpoint, load_checkpoint, save_checkpoint, study_folder
from nlb_search.storage.errors import StorageError

CHECKPOINT = Checkpoint(
    {"weights": torch.arange(6.0).reshape(2, 3), "step": torch.tensor(7)}, {"epoch": 3, "name": "ü"}
)


def test_checkpoint_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "trial.safetensors"
    save_checkpoint(path, CHECKPOINT)
    read = load_checkpoint(path)
    assert read.metadata == CHECKPOINT.metadata
    for name, tensor in CHECKPOINT.tensors.items():
        assert_close(read.tensors[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("kept", [0, 5, 100])
def test_truncated_checkpoint_is_rejected(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "trial.safetensors"
    save_checkpoint(path, CHECKPOINT)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StorageError, match=r"the checkpoint .*trial\.safetensors is damaged"):
        load_checkpoint(path)


def test_file_without_metadata_is_rejected(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weights": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(StorageError, match="is damaged"):
        load_checkpoint(tmp_path / "other.safetensors")


def test_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write the checkpoint"):
        save_checkpoint(tmp_path / "file" / "trial.safetensors", CHECKPOINT)


def test_symlinks_out_of_the_checkpoint_folder_are_rejected(tmp_path: Path) -> None:
    outside, artifacts = tmp_path / "outside", tmp_path / "artifacts"
    save_checkpoint(outside / "trial.safetensors", CHECKPOINT)
    artifacts.mkdir()
    (artifacts / "study").symlink_to(outside)
    with pytest.raises(StorageError, match=r"artifacts/study is a link to .*outside"):
        study_folder(artifacts, "study")
    (artifacts / "trial.safetensors").symlink_to(outside / "trial.safetensors")
    with pytest.raises(StorageError, match=r"trial\.safetensors is a link to .*outside"):
        load_checkpoint(artifacts / "trial.safetensors")
    written = Checkpoint({}, {"epoch": 4})
    save_checkpoint(artifacts / "trial.safetensors", written)
    assert load_checkpoint(artifacts / "trial.safetensors") == written
    assert load_checkpoint(outside / "trial.safetensors").metadata == CHECKPOINT.metadata, "writing replaces a link"


def test_killed_writer_leaves_no_partial_checkpoint(tmp_path: Path) -> None:
    """A process that rewrites a checkpoint continuously is killed; the checkpoint is always complete."""
    path = tmp_path / "trial.safetensors"
    program = (
        "import sys, torch; from pathlib import Path; from nlb_search.storage.checkpoints import *\n"
        "for i in range(10**6):\n"
        "  save_checkpoint(Path(sys.argv[1]), Checkpoint({'w': torch.full((200_000,), float(i))}, {'i': i}))"
    )
    for delay in (0.01, 0.05, 0.13):
        writer = subprocess.Popen([sys.executable, "-c", program, str(path)])
        while not path.exists():
            assert writer.poll() is None
            time.sleep(0.01)
        time.sleep(delay)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        read = load_checkpoint(path)
        assert_close(read.tensors["w"], torch.full((200_000,), float(read.metadata["i"])), rtol=0, atol=0)
