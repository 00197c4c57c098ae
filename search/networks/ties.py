"""Trials of a study whose co-bps on val does not differ significantly from that of the best trial."""

from dataclasses import dataclass

from optuna.trial import FrozenTrial

from nlb_search.search.errors import SearchError
from nlb_search.search.networks.saved_networks import load_gains
from nlb_search.search.networks.ties_file import read_ties, write_ties
from nlb_search.search.scoring.bootstrap import Array, differ_significantly, resampled_co_bps
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.removed_networks import removed_networks
from nlb_search.search.trials.trial_scores import complete_trials, score_of
from nlb_search.storage.errors import StorageError

MAX_NAMED = 5
"""Maximum number of trials listed in a line; the others are counted."""


@dataclass(frozen=True)
class Ties:
    """The complete trials tied with the best one, best first, without the best itself.

    ``trials`` is None if no comparison was possible. ``note`` says which comparisons were not possible and why, or is
    empty.
    """

    trials: tuple[FrozenTrial, ...] | None
    note: str = ""

    @property
    def numbers(self) -> list[int] | None:
        return None if self.trials is None else [trial.number for trial in self.trials]

    def as_text(self) -> str:
        """One line of text."""
        if self.trials is None:
            return f"unknown: {self.note}"
        compared = "other trial that could be compared" if self.note else "other complete trial"
        words = (
            f"not significantly different from {self._named()}"
            if self.trials
            else f"none: better than every {compared}"
        )
        return f"{words}; {self.note}" if self.note else words

    def _named(self) -> str:
        assert self.trials
        names = [f"trial {trial.number} ({score_of(trial):.4f})" for trial in self.trials[:MAX_NAMED]]
        n_unnamed = len(self.trials) - MAX_NAMED
        if n_unnamed > 0:
            names.append(f"{n_unnamed} other{'s' if n_unnamed > 1 else ''}")
        *others, last = names
        return f"{', '.join(others)} and {last}" if others else last


def find_ties(study: OpenStudy) -> Ties:
    """The trials tied with the best one. They are read from a file if no trial was completed since it was written.

    Trials whose networks were removed are left out: they were not tied with the best.
    """
    removed = removed_networks(study)
    trials = [trial for trial in complete_trials(study.study) if trial.number not in removed]
    if not trials:
        return Ties(())
    known = read_ties(study.checkpoints.ties, trials)
    if known is not None:
        return Ties(known)
    ties = _compared(study, trials)
    if len(trials) > 1 and ties.trials is not None and not ties.note:
        write_ties(study.checkpoints.ties, trials, ties.trials)
    return ties


def _compared(study: OpenStudy, trials: list[FrozenTrial]) -> Ties:
    """Compare the first of the complete trials with every other one on the same resamples of the val trials."""
    best, *others = trials
    try:
        best_R = _resampled(study, best)
    except (SearchError, StorageError) as error:
        return Ties(None, str(error))
    ties, unread = [], []
    for trial in others:
        try:
            if not differ_significantly(best_R, _resampled(study, trial)):
                ties.append(trial)
        except (SearchError, StorageError) as error:
            unread.append(str(error))
    note = f"{len(unread)} of {len(trials)} complete trials could not be compared: {unread[0]}" if unread else ""
    return Ties(None if len(unread) == len(others) > 0 else tuple(ties), note)


def _resampled(study: OpenStudy, trial: FrozenTrial) -> Array:
    return resampled_co_bps(*load_gains(study, trial))
