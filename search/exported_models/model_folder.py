"""Keeps a model in a folder: one JSON file, and the weights of each network as safetensors. There is no pickle.

``model.json`` has the card of the model, the command that made it, and for each network the settings that it is built
from and its weight in the mean of rates. The weights of its parameters are in ``network-000.safetensors`` and so on, in
the same order.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from nlb_search.models.architecture.architectures import build_network
from nlb_search.models.architecture.network import Network
from nlb_search.models.errors import ChainError
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork
from nlb_search.search.errors import SearchError
from nlb_search.search.exported_models.card import Card
from nlb_search.search.exported_models.model import Model
from nlb_search.search.study.own_sources import check_sources
from nlb_search.search.workers.trial_replicates import split_settings
from nlb_search.storage.atomic_files import atomic_file, atomic_folder
from nlb_search.storage.checkpoints import Checkpoint, load_checkpoint, save_checkpoint

DESCRIPTION = "model.json"


class _NetworkEntry(BaseModel):
    """The settings that a network is built from, and its weight in the mean of rates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[str, Any]
    weight: float


class _Description(BaseModel):
    """The content of ``model.json``. ``format`` changes whenever older versions cannot read the folder; version 0.5.0
    wrote format 1, which has fewer fields.

    ``command`` is the command line that made the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1, 2] = 2
    card: Card
    command: tuple[str, ...]
    networks: tuple[_NetworkEntry, ...]


def save_model(folder: Path, model: Model, command: list[str]) -> None:
    """Write a model to a new or empty folder, completely or not at all.

    ``command`` is the command line that makes it again. Raises SearchError if the folder cannot be written.
    """
    entries = tuple(_NetworkEntry(settings=one.settings, weight=one.weight) for one in model.networks)
    description = _Description(card=model.card, command=tuple(command), networks=entries)
    try:
        with atomic_folder(folder) as part:
            for index, one in enumerate(model.networks):
                weights = {name: tensor.cpu().contiguous() for name, tensor in one.network.state_dict().items()}
                save_checkpoint(_weights_file(part, index), Checkpoint(weights, {}))
            with atomic_file(part / DESCRIPTION) as file:
                file.write_text(description.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SearchError(f"cannot write the model {folder}: {error.strerror or error}") from error


def load_model(folder: Path | str, device: str = "cpu") -> Model:
    """Load a model that ``export-best --model`` has written, to a device such as ``cpu`` or ``cuda``.

    Raises SearchError if ``folder`` is not a model or was changed, or if the source of a user's model was; StorageError
    if weights are damaged; and OwnModelError if the module of a user's model is not found.
    """
    folder = Path(folder)
    description = _description(folder)
    networks = tuple(
        WeightedNetwork(_network(folder, index, entry, description.card, device), entry.settings, entry.weight)
        for index, entry in enumerate(description.networks)
    )
    return Model(networks, description.card)


def _description(folder: Path) -> _Description:
    path = folder / DESCRIPTION
    try:
        return _Description.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SearchError(
            f"{folder} is not a model ({DESCRIPTION}: {error.strerror}): give a folder that `export-best --model` wrote"
        ) from error
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"]) or "it is not JSON"
        raise SearchError(
            f"{path} cannot be read ({field}): export the model again, or use the version of nlb-search that wrote it"
        ) from error


def _network(folder: Path, index: int, entry: _NetworkEntry, card: Card, device: str) -> Network:
    path = _weights_file(folder, index)
    try:
        architecture, hyper = split_settings(entry.settings)
        check_sources(card.versions, [str(architecture)])
        sizes = card.sizes
        network = build_network(architecture, sizes, hyper, torch.zeros(sizes.n_neurons))
        network.load_state_dict(load_checkpoint(path).tensors)
    except FileNotFoundError as error:
        raise SearchError(f"the model {folder} lacks {path.name}: copy the whole folder") from error
    except (KeyError, TypeError, ChainError, RuntimeError) as error:
        raise SearchError(
            f"{path.name} does not match {DESCRIPTION} in {folder}: use the version of nlb-search that wrote it, or "
            "export the model again"
        ) from error
    return network.to(device).eval()


def _weights_file(folder: Path, index: int) -> Path:
    return folder / f"network-{index:03d}.safetensors"
