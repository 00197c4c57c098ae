from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch.testing import assert_close

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.network import predict
from nlb_search.models.blocks import BLOCKS
from nlb_search.models.errors import DivergedError
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.scoring.bits_per_spike import co_bps
from nlb_search.models.tensors import Counts
from nlb_search.models.training.trainer import fit
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import TrainingPlan
from tests.helpers.recordings.population import SIZES, counts_of, swinging

CPU = torch.device("cpu")
PLAN = TrainingPlan(epochs=6, batch_size=16)


TRAIN, VAL = swinging(64, seed=1), swinging(32, seed=2)


def _training(chain: str = "rnnf", train: Counts = TRAIN, seed: int = 0, **changes: float) -> Training:
    hyper = replace(Hyperparameters(hidden=16, lr=0.02, dropout=0.2), **changes)
    return Training(parse_chain(chain), hyper, PLAN, train, seed, CPU)


@pytest.mark.parametrize("chain", ["rnnf", "neural-roberta"])
def test_training_learns_shared_structure(chain: str) -> None:
    training = Training(
        parse_chain(chain),
        Hyperparameters(hidden=16, dropout=0.1),
        TrainingPlan(epochs=25, batch_size=16),
        TRAIN,
        0,
        CPU,
    )
    scores = [evaluation.co_bps for evaluation in fit(training, VAL)]
    assert scores[0] < 0.1
    assert max(scores) > 0.25


def test_training_depends_on_the_seed() -> None:
    first, again, other = (list(fit(_training(seed=seed), VAL)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.parametrize("chain", ["rnnf", "neural-roberta", *(f"{block} -> FF -> exp" for block in BLOCKS)])
def test_training_restored_from_state_continues_identically(chain: str) -> None:
    whole = _training(chain)
    uninterrupted = list(fit(whole, VAL))
    cut = _training(chain)
    before = list(islice(fit(cut, VAL), 3))
    torch.manual_seed(999)  # the global generator must not matter
    resumed = _training(chain)
    resumed.restore(cut.state())
    after = list(fit(resumed, VAL))
    assert before + after == uninterrupted
    assert whole.best is not None
    assert resumed.best is not None
    assert resumed.best.evaluation == whole.best.evaluation
    for name, tensor in whole.best.weights.items():
        assert_close(resumed.best.weights[name], tensor, rtol=0, atol=0)


def test_best_network_has_the_best_val_score() -> None:
    training = _training(lr=0.05)
    scores = {evaluation.epoch: evaluation.co_bps for evaluation in fit(training, VAL)}
    assert training.best is not None
    assert training.best.evaluation.co_bps == max(scores.values())
    training.network.load_state_dict(training.best.weights)
    assert co_bps(predict(training.network, VAL.heldin_BWI), VAL).item() == training.best.evaluation.co_bps


def test_training_does_not_use_the_global_torch_generator() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    next(fit(_training(), VAL))
    assert torch.rand(1) == expected


def test_evaluation_schedule() -> None:
    training = Training(
        parse_chain("rnnf"), Hyperparameters(hidden=4), TrainingPlan(epochs=7, evaluate_every=3), TRAIN, 0, CPU
    )
    assert [evaluation.epoch for evaluation in fit(training, VAL)] == [3, 6, 7]


def test_unobserved_counts_are_not_scored() -> None:
    """With everything unknown but one neuron's spikes, only that neuron's rate is learned."""
    target = torch.full_like(TRAIN.target_BTN, torch.nan)
    target[:, :, 10] = 2.0
    training = _training("FF -> exp", train=counts_of(target, SIZES.n_window, SIZES.n_heldin))
    losses = [evaluation.loss for evaluation in fit(training, VAL)]
    assert losses[-1] == pytest.approx(2.0 - 2.0 * torch.log(torch.tensor(2.0)).item(), abs=0.2)


def test_divergence_error_names_the_epoch() -> None:
    with pytest.raises(DivergedError, match=r"the loss became (inf|-inf|nan) in epoch 1, step [2-4]"):
        next(fit(_training(lr=1e30), VAL))
