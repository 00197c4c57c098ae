"""Training a trial again on train + val, for predictions of the test trials."""

import logging

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.network import Network
from nlb_search.models.errors import DivergedError
from nlb_search.models.training.state import Training
from nlb_search.models.training.trainer import train_through
from nlb_search.search.errors import SearchError
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.submission.finalists import Finalist
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.memory import keep_freed_memory
from nlb_search.search.workers.trial import settings_of

_SEED_STRIDE = 2_654_435_761

_log = logging.getLogger(__name__)


def refit(study: OpenStudy, finalist: Finalist, repeat: int = 0) -> Network:
    """Train the finalist's settings on train + val, up to the epoch of its best evaluation in the search.

    Networks with different numbers ``repeat`` have different seeds; number 0 has the seed of the trial. Raises
    SearchError if the training diverges.
    """
    architecture, hyper = settings_of(finalist.settings)
    counts = counts_of(study.recording().train_val)
    number, epochs = finalist.trial.number, finalist.progress.epoch
    seed = (study.spec.trial_seed(number) + repeat * _SEED_STRIDE) % 2**32
    training = Training(parse_chain(architecture), hyper, study.spec.plan, counts, seed, training_device())
    _log.info("training trial %d again on train + val, %d epochs", number, epochs)
    keep_freed_memory()
    try:
        train_through(training, epochs)
    except DivergedError as error:
        raise SearchError(f"training trial {number} on train + val diverged: {error}") from error
    return training.averaged_network()
