"""What a person asks of a study's workers, wherever they are: one word in the study, where all of them look."""

import logging
import time
from enum import StrEnum

import optuna

from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.studies import explain_if_deleted

POLL_SECONDS = 2.0
"""How often a worker looks for another order, at most: at every evaluation it would cost more than it is worth."""

_ORDER_KEY = "order"

_log = logging.getLogger(__name__)


class StudyCommand(StrEnum):
    """A command to all workers of a study, including those that start later, until the next command."""

    WORK = "work"
    FINISH = "finish"
    """Exit after the running trials have finished."""
    PAUSE = "pause"
    """Hand the trials back, and wait."""
    STOP = "stop"
    """Hand the trials back, and end."""

    @property
    def releases_trials(self) -> bool:
        return self in (StudyCommand.PAUSE, StudyCommand.STOP)

    @property
    def ends(self) -> bool:
        return self in (StudyCommand.FINISH, StudyCommand.STOP)


_IN_WORDS = {
    StudyCommand.WORK: "continues",
    StudyCommand.FINISH: "was asked to stop: no more trials are begun",
    StudyCommand.PAUSE: "is paused: its trials are released",
    StudyCommand.STOP: "was stopped: its trials are released",
}


def send_command(study: optuna.Study, order: StudyCommand) -> None:
    """Ask this of all workers of the study: they notice within seconds, at their next evaluation."""
    study.set_user_attr(_ORDER_KEY, order.value)


def command_of(study: optuna.Study) -> StudyCommand:
    """What the study's workers were asked last; a study is there to be worked on unless told otherwise."""
    return StudyCommand(study.user_attrs.get(_ORDER_KEY, StudyCommand.WORK))


class StudyCommands:
    """The order of a study as one worker follows it: looked up every few seconds, and said when it changes."""

    def __init__(self, study: optuna.Study, retry: DatabaseRetry) -> None:
        self._study, self._retry = study, retry
        self._order, self._look_again_at = StudyCommand.WORK, 0.0

    def now(self) -> StudyCommand:
        """The order of a moment ago. Raises StorageError if the study was deleted."""
        if time.monotonic() < self._look_again_at:
            return self._order
        with explain_if_deleted(self._study.study_name):
            order = self._retry.call(lambda: command_of(self._study))
        if order != self._order:
            _log.info("the study %s", _IN_WORDS[order])
        self._order, self._look_again_at = order, time.monotonic() + POLL_SECONDS
        return order
