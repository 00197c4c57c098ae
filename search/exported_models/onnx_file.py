"""Writes a model as ONNX, for programs without Python or torch.

The input ``counts`` are held-in counts, trials x bins x neurons, as float32; the output ``rates`` are those of
``Model``. The metadata has the card of the model, as JSON.
"""

import copy
import importlib.util
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nlb_search.models.architecture.own.network import OwnNetwork
from nlb_search.models.masking.crops import whole_bins
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork
from nlb_search.search.errors import SearchError
from nlb_search.search.exported_models.model import Model
from nlb_search.storage.atomic_files import atomic_file

CARD = "nlb-search card"
"""Key of the card in the metadata."""

PACKAGES = ("onnx", "onnxscript")
"""Packages that torch needs for the export."""


def check_onnx_installed() -> None:
    """Raise SearchError unless the packages are installed that torch needs to write ONNX."""
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise SearchError(f"--onnx needs {' and '.join(missing)}, not installed here: `pip install 'nlb-search[onnx]'`")


def check_convertible(networks: Sequence[WeightedNetwork]) -> None:
    """Raise SearchError if a user's model has operations that ONNX lacks. Every block of a chain can be converted."""
    own = [member for member in networks if isinstance(member.network, OwnNetwork)]
    if own:
        _exported(own)


def save_onnx(path: Path, model: Model) -> None:
    """Write a model as an ONNX file, completely or not at all, for any number of trials.

    Raises SearchError if a model has operations that ONNX lacks, or if the file cannot be written.
    """
    program = _exported(model.networks)
    program.model.metadata_props[CARD] = model.card.model_dump_json()
    try:
        with atomic_file(path) as part:
            program.save(part, external_data=False)
    except OSError as error:
        raise SearchError(f"cannot write {path}: {error.strerror or error}") from error


class _MeanRates(nn.Module):
    """``weighted_networks.mean_rates`` as a module, on the CPU."""

    def __init__(self, networks: Sequence[WeightedNetwork]) -> None:
        super().__init__()
        self.sizes = networks[0].network.sizes
        self._heads = [member.network.head for member in networks]
        self._weights = [member.weight for member in networks]
        self.networks = nn.ModuleList(copy.deepcopy(member.network).cpu() for member in networks)

    def forward(self, counts: Tensor) -> Tensor:
        bins_BT = whole_bins(counts.shape[0], self.sizes, counts.device)
        members = zip(self._heads, self._weights, self.networks, strict=True)
        weighted = [weight * head.rates(network(counts, bins_BT)) for head, weight, network in members]
        return torch.stack(weighted).sum(dim=0)


def _exported(networks: Sequence[WeightedNetwork]) -> Any:
    module = _MeanRates(networks).eval()
    example = torch.zeros(2, module.sizes.n_window, module.sizes.n_heldin)
    try:
        with _without_messages(), torch.no_grad():
            return torch.onnx.export(
                module,
                (example,),
                input_names=["counts"],
                output_names=["rates"],
                dynamic_shapes=({0: torch.export.Dim("trials")},),
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise SearchError(
            f"the model cannot be written as ONNX ({_first_line(error)}): save it with --model instead"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error.__cause__ or error).strip().splitlines()[0]


@contextmanager
def _without_messages() -> Iterator[None]:
    """Hide the exporter's messages about its internals."""
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
