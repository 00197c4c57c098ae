"""What a worker needs for every trial of its study."""

from dataclasses import dataclass, field

import torch

from nlb_search.models.tensors import Counts
from nlb_search.models.training.trainer import ValScorer
from nlb_search.search.scoring.targets import Targets
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.checkpoints import Checkpoints


@dataclass(frozen=True)
class TrialContext:
    """Specification of the study, recording on the device, targets of the metrics on val, and checkpoints."""

    spec: SearchSpec
    train: Counts
    val: ValScorer
    targets: Targets
    checkpoints: Checkpoints
    device: torch.device
    stop: Stop = field(default_factory=Stop)
