"""Removing the networks of all but the best trials of a study, to save space."""

import logging
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from nlb_search.search.errors import SearchError
from nlb_search.search.networks.saved_networks import trials_with_networks
from nlb_search.search.networks.ties import find_ties
from nlb_search.search.study.chain_trials import by_chain
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.pareto_front import pareto_front
from nlb_search.search.study.removed_networks import REMOVED_KEY, removed_networks
from nlb_search.storage.database.locks import exclusive
from nlb_search.storage.studies import explain_if_deleted
from nlb_search.storage.study_identity import check_identity

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Removal:
    """The trials whose networks were removed and kept, and the size of the removed files in bytes."""

    removed: tuple[int, ...]
    kept: tuple[int, ...]
    size: int


def remove_networks_except_best(study: OpenStudy, best: int) -> Removal:
    """Remove the networks of finished trials, except of the ``best`` trials of each chain, of those tied with the best,
    and of those on the front of a study with own objectives.

    Networks that were retrained for a submission are removed with those of their trials. Raises SearchError if the ties
    cannot be determined, or if another study may use the same folder.
    """
    if not study.has_own_folder:
        raise SearchError(
            f"the study '{study.name}' was created by version 0.4.0, and another study of its name may use its "
            f"checkpoints: delete files in {study.checkpoints.folder} by hand"
        )
    # Two simultaneous removals would each store a list without the trials of the other.
    with exclusive(study.locations.url, f"networks:{study.name}"):
        trials = trials_with_networks(study)
        kept = _kept(study, trials, best)
        removed = [trial.number for trial in trials if trial.number not in kept]
        files = [path for number in removed for path in study.checkpoints.networks(number)]
        size = sum(path.stat().st_size for path in files)
        # Before the files: an interrupted removal leaves files without a trial, not trials without their files.
        study.study.set_user_attr(REMOVED_KEY, sorted(removed_networks(study).union(removed)))
        for path in files:
            path.unlink(missing_ok=True)
    return Removal(tuple(removed), tuple(sorted(kept)), size)


def remove_networks_by_rule(study: OpenStudy) -> None:
    """Remove networks according to the study's ``keep``, if it has one. If this is not possible, the reason is logged.

    Raises StorageError if the study was deleted, or replaced by another one.
    """
    if study.spec.keep is None:
        return
    try:
        with explain_if_deleted(study.name):
            check_identity(study.study, study.identity)
            remove_networks_except_best(study, study.spec.keep)
    except SearchError as error:
        _log.warning("no networks are removed: %s", error)


def _kept(study: OpenStudy, trials: list[FrozenTrial], best: int) -> frozenset[int]:
    """Numbers of the trials whose networks are kept."""
    ties = find_ties(study)
    if ties.trials is None:
        raise SearchError(f"the trials tied with the best cannot be determined: {ties.note}")
    front = pareto_front(trials, study.spec.objectives) if study.spec.has_own_objectives else []
    top = [trial for _, of_chain in by_chain(study, trials, study.spec.architectures) for trial in of_chain[:best]]
    return frozenset(trial.number for trial in (*top, *front, *ties.trials))
