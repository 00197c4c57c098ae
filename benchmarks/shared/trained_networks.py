"""Networks of one chain, trained on a recording with several seeds as the trials of a search are."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.network import Network
from nlb_search.models.tensors import Counts
from nlb_search.models.training.trainer import Trainer, ValScorer
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import BATCH_SIZE, TrainingPlan
from nlb_search.search.creation.training_length import EVALUATIONS, default_epochs
from nlb_search.search.sampling.spaces.default_settings import default_settings


def train_networks(train: Counts, val: Counts, chain: str, changes: Mapping[str, Any], seeds: int) -> list[Training]:
    """Train one network per seed, side by side, until early stopping ends it.

    ``changes`` are settings that differ from the defaults of the chain.
    """
    torch.set_num_threads(1)
    epochs = default_epochs(train.n_trials)
    plan = TrainingPlan(epochs=epochs, evaluate_every=math.ceil(epochs / EVALUATIONS), batch_size=BATCH_SIZE)
    parsed = parse_chain(chain)
    settings = replace(default_settings(parsed), **changes)
    trainings = [Training(parsed, settings, plan, train, seed, torch.device("cpu")) for seed in range(seeds)]
    trainer = Trainer(ValScorer(val))
    while running := [training for training in trainings if not training.is_done]:
        for training, evaluated in zip(running, trainer.advance(running), strict=True):
            if isinstance(evaluated, Exception):
                raise evaluated
            training.keep_if_best(evaluated)
    return trainings


def best_network(training: Training) -> Network:
    """The network at the checkpoint that is best on val."""
    assert training.best is not None
    network = training.averaged_network()
    network.load_state_dict(training.best.weights)
    return network
