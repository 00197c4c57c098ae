"""Pictures of trials, as artifacts of Optuna that optuna-dashboard shows with the trial.

Each study keeps them in its own folder, beside its checkpoints, so that they are copied and deleted with it.
"""

import tempfile
from pathlib import Path
from typing import BinaryIO

import optuna
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound

PICTURES = "pictures"
_UPLOADS = "_uploads"
"""Folder of files that users upload in the dashboard. No study has this name: names start with a letter or digit."""


def attach_picture(trial: optuna.Trial, folder: Path, name: str, svg: str) -> None:
    """Store an SVG picture in a study's ``folder`` and attach it to a running trial, under the file name ``name``."""
    pictures = folder / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / name
        file.write_text(svg, encoding="utf-8")
        store = FileSystemArtifactStore(pictures)
        upload_artifact(artifact_store=store, file_path=str(file), study_or_trial=trial, mimetype="image/svg+xml")


class PictureStore:
    """The artifacts of all studies in the folder ``artifacts``, for optuna-dashboard, which asks for one by its id."""

    def __init__(self, artifacts: Path) -> None:
        self._artifacts = artifacts

    def open_reader(self, artifact_id: str) -> BinaryIO:
        return self._store_of(artifact_id).open_reader(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        uploads = self._artifacts / _UPLOADS / PICTURES
        uploads.mkdir(parents=True, exist_ok=True)
        FileSystemArtifactStore(uploads).write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        self._store_of(artifact_id).remove(artifact_id)

    def _store_of(self, artifact_id: str) -> FileSystemArtifactStore:
        for pictures in self._artifacts.glob(f"*/{PICTURES}"):
            if (pictures / artifact_id).is_file():
                return FileSystemArtifactStore(pictures)
        raise ArtifactNotFound(f"there is no artifact {artifact_id} in {self._artifacts}")
