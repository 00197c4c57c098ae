"""The files of a model that an export writes: a folder for nlb-search, and an ONNX file for other programs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlb_search.search.ensembles.searched_recording import SearchedRecording
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork
from nlb_search.search.errors import UsageError
from nlb_search.search.exported_models.model import Model
from nlb_search.search.exported_models.model_folder import save_model
from nlb_search.search.exported_models.onnx_file import check_convertible, check_onnx_installed, save_onnx
from nlb_search.search.output_paths import check_file, check_folder


@dataclass(frozen=True)
class ModelFiles:
    """The folder of a model and its ONNX file; None for those that are not written."""

    folder: Path | None = None
    onnx: Path | None = None

    def check(self, recordings: Sequence[SearchedRecording]) -> None:
        """Raise SearchError, before anything is computed, if a model of these recordings cannot be written."""
        if self == NO_MODEL_FILES:
            return
        if len(recordings) > 1:
            groups = ", ".join(one.recording.group for one in recordings)
            raise UsageError(
                f"a model belongs to one recording in one bin width, but the studies are on {groups}: export them "
                "one by one"
            )
        if self.folder is not None:
            check_folder(self.folder)
        if self.onnx is not None:
            check_onnx_installed()
            check_file(self.onnx, lambda path: path.suffix == ".onnx", "an .onnx file", "--onnx")

    def check_networks(self, networks: Sequence[WeightedNetwork]) -> None:
        """Raise SearchError, before anything is retrained, if networks of this kind cannot be written."""
        if self.onnx is not None:
            check_convertible(networks)

    def write(self, model: Model, command: Callable[[tuple[str, Path]], list[str]]) -> None:
        """Write the model. ``command`` gives the command line that writes it again to an option and its path."""
        if self.folder is not None:
            save_model(self.folder, model, command(("--model", self.folder)))
        if self.onnx is not None:
            save_onnx(self.onnx, model)


NO_MODEL_FILES = ModelFiles()
