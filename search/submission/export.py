"""Exports the best trials of studies to a submission file."""

import logging
import os
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from optuna.trial import FrozenTrial

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.network import Network, predict
from nlb_search.models.errors import DivergedError
from nlb_search.models.tensors import Sizes
from nlb_search.models.training.state import Progress, Training
from nlb_search.models.training.trainer import train_through
from nlb_search.search.errors import SearchError
from nlb_search.search.recording_tensors import counts_of, heldin_of
from nlb_search.search.scoring.saved_networks import load_network
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import check_version
from nlb_search.search.submission.option_values import Phase
from nlb_search.search.submission.selection import Selection, select
from nlb_search.search.submission.submission_file import (
    CONTENT,
    SETTINGS,
    Prediction,
    Rates,
    is_submission,
    phase_splits,
    write_submission,
)
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.memory import keep_freed_memory
from nlb_search.search.workers.trial import settings_of
from nlb_search.storage.database.retrying import DatabaseRetry

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finalist:
    """A complete trial with its network, settings, and progress at its best evaluation on val."""

    trial: FrozenTrial
    network: Network
    settings: dict[str, object]
    progress: Progress


def export_best(studies: list[OpenStudy], out: Path, phase: Phase, selection: Selection) -> None:
    """Write a submission with the mean rates of the trials that ``selection`` selects in each study.

    In phase test, each trial is first trained again on train + val, up to the epoch of its best evaluation in the
    search. Raises SearchError if two studies are of one dataset, if a study has too few complete trials, or if ``out``
    cannot be written. All of this is checked before training.
    """
    _check_path(out)
    retry = DatabaseRetry(threading.Event())
    chosen = [[_load(study, trial) for trial in retry.call(partial(select, study, selection))] for study in studies]
    recordings = [study.recording() for study in studies]
    groups = [recording.group for recording in recordings]
    repeated = {group for group in groups if groups.count(group) > 1}
    if repeated:
        raise SearchError(f"two studies are of {', '.join(repeated)}, and a submission contains each dataset once")
    for recording in recordings:
        phase_splits(recording, phase)
    predictions, facts = [], {}
    for study, recording, finalists in zip(studies, recordings, chosen, strict=True):
        for finalist in finalists:
            number, architecture = finalist.trial.number, finalist.settings["architecture"]
            _log.info("%s: trial %d, %s, co-bps %.4f on val", study.name, number, architecture, finalist.trial.value)
        trained, evaluated = phase_splits(recording, phase)
        networks = [finalist.network if phase == "val" else _train_again(study, finalist) for finalist in finalists]
        predictions.append(
            Prediction(
                recording,
                phase,
                train_rates=_mean_rates(networks, heldin_of(trained)),
                eval_rates=_mean_rates(networks, heldin_of(evaluated)),
            )
        )
        facts[recording.group] = {
            "dataset": recording.name,
            "study": study.name,
            "trials": ", ".join(str(finalist.trial.number) for finalist in finalists),
            "chosen_by": selection.judge,
            "architecture": "; ".join(str(finalist.settings["architecture"]) for finalist in finalists),
            **_own_facts(study),
        }
    write_submission(out, predictions, facts)


def _own_facts(study: OpenStudy) -> dict[str, str]:
    """Attributes needed to score a submission of your own recording: its settings and its content hash."""
    settings = study.spec.recording
    return {} if settings is None else {SETTINGS: settings.model_dump_json(), CONTENT: study.spec.content_hash}


def _check_path(out: Path) -> None:
    if out.is_dir():
        raise SearchError(f"{out} is a folder: name a file, like {out / 'submission.h5'}")
    if not out.parent.is_dir():
        raise SearchError(f"the folder {out.parent} does not exist: create it, or name another file with --out")
    if out.exists() and not is_submission(out):
        raise SearchError(f"{out} exists and is not a submission, so it is not replaced: name another file with --out")
    if not os.access(out.parent, os.W_OK):
        raise SearchError(f"the folder {out.parent} cannot be written to: name another file with --out")


def _load(study: OpenStudy, trial: FrozenTrial) -> Finalist:
    # Other versions may use the same parameter names for different weights.
    check_version(study.spec, "nlb-search")
    checkpoint = load_network(study, trial)
    facts = checkpoint.facts
    settings = facts["settings"]
    architecture, hyper = settings_of(settings)
    sizes = Sizes(**facts["sizes"])
    network = Network(parse_chain(architecture), sizes, hyper, torch.zeros(sizes.n_neurons))
    network.load_state_dict(checkpoint.tensors)
    return Finalist(trial, network.to(training_device()), settings, Progress(**facts["progress"]))


def _train_again(study: OpenStudy, finalist: Finalist) -> Network:
    """Train the finalist's settings on train + val, up to the epoch of its best evaluation in the search."""
    architecture, hyper = settings_of(finalist.settings)
    counts = counts_of(study.recording().train_val)
    seed = study.spec.trial_seed(finalist.trial.number)
    training = Training(parse_chain(architecture), hyper, study.spec.plan, counts, seed, training_device())
    _log.info("training trial %d again on train + val, %d epochs", finalist.trial.number, finalist.progress.epoch)
    keep_freed_memory()
    try:
        train_through(training, finalist.progress.epoch)
    except DivergedError as error:
        raise SearchError(f"training trial {finalist.trial.number} on train + val diverged: {error}") from error
    return training.averaged_network()


def _mean_rates(networks: list[Network], heldin: torch.Tensor) -> Rates:
    rates = [predict(network, heldin.to(training_device())).cpu().numpy() for network in networks]
    mean: Rates = np.mean(rates, axis=0, dtype=np.float32)
    return mean
