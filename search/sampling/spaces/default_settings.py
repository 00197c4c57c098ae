"""The default settings of each architecture, with which its first trial is run."""

from dataclasses import asdict
from typing import Any

from nlb_search.models.architecture.architectures import Architecture
from nlb_search.models.architecture.chain import Chain
from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.models.blocks import BLOCKS
from nlb_search.models.blocks.bases.attention import Attention
from nlb_search.models.blocks.bases.recurrent import Recurrent
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.training.training_plan import BATCH_SIZE

LEAST_DECAY = 0.03
"""Weight decay with almost no effect: it removes less than a tenth of a weight during the whole training."""


def default_values(architecture: Architecture) -> dict[str, Any]:
    """The default of every setting by its name in the study. Raises OwnModelError if a model cannot be imported."""
    if isinstance(architecture, OwnModel):
        own = {name: setting.default for name, setting in architecture.settings().items()}
        return asdict(Hyperparameters(weight_decay=LEAST_DECAY, batch_size=BATCH_SIZE)) | own
    return asdict(default_settings(architecture))


def default_settings(chain: Chain) -> Hyperparameters:
    """The default settings of a chain, chosen on many recordings (benchmarks.quality.default_settings).

    Chains with attention and without a recurrent layer have a lower learning rate and dropout. Weight decay was
    measured for recurrent chains alone.
    """
    recurrent = [link for link in chain.links if issubclass(BLOCKS[link.name], Recurrent)]
    if recurrent:
        layers = next((link.layers for link in recurrent if link.layers), 1)
        return Hyperparameters(lr=0.005, weight_decay=0.3, hidden=76, num_layers=layers, batch_size=BATCH_SIZE)
    if any(issubclass(BLOCKS[link.name], Attention) for link in chain.links):
        return Hyperparameters(lr=0.002, dropout=0.2, weight_decay=LEAST_DECAY, batch_size=BATCH_SIZE)
    return Hyperparameters(weight_decay=LEAST_DECAY, batch_size=BATCH_SIZE)
