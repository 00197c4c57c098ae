"""Commands to all workers of a study, on any machine. The command is stored in the study, where workers poll it."""

import logging
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import optuna

from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.studies import explain_if_deleted
from nlb_search.storage.study_identity import check_attributes

POLL_SECONDS = 2.0
"""Minimum time between two polls of a worker. Polling at every evaluation would load the database too much."""

COMMAND_KEY = "order"
"""User attribute of the study that stores the last command to its workers."""

_log = logging.getLogger(__name__)


class StudyCommand(StrEnum):
    """A command to all workers of a study, including those that start later, until the next command."""

    WORK = "work"
    FINISH = "finish"
    """Exit after the running trials have finished."""
    PAUSE = "pause"
    """Release the running trials and wait."""
    STOP = "stop"
    """Release the running trials and exit."""

    @property
    def releases_trials(self) -> bool:
        return self in (StudyCommand.PAUSE, StudyCommand.STOP)

    @property
    def ends(self) -> bool:
        return self in (StudyCommand.FINISH, StudyCommand.STOP)


_IN_WORDS = {
    StudyCommand.WORK: "continues",
    StudyCommand.FINISH: "was asked to finish: no new trials are started",
    StudyCommand.PAUSE: "is paused: its trials are released",
    StudyCommand.STOP: "was stopped: its trials are released",
}


def send_command(study: optuna.Study, command: StudyCommand) -> None:
    """Send a command to all workers of the study. They follow it within seconds, at their next evaluation."""
    study.set_user_attr(COMMAND_KEY, command.value)


def command_of(study: optuna.Study) -> StudyCommand:
    """The last command sent to the study's workers, or WORK if none was sent."""
    return command_in(study.user_attrs)


def command_in(attributes: Mapping[str, Any]) -> StudyCommand:
    """Like ``command_of``, for user attributes of the study that were read already."""
    return StudyCommand(attributes.get(COMMAND_KEY, StudyCommand.WORK))


class StudyCommands:
    """The current command of a study, as polled by one worker. Changes are logged."""

    def __init__(self, study: optuna.Study, identity: str, retry: DatabaseRetry) -> None:
        self._study, self._identity, self._retry = study, identity, retry
        self._command, self._next_poll = StudyCommand.WORK, 0.0

    def now(self) -> StudyCommand:
        """The command, at most ``POLL_SECONDS`` old. Raises StorageError if the study was deleted or replaced."""
        if time.monotonic() < self._next_poll:
            return self._command
        with explain_if_deleted(self._study.study_name):
            attributes = self._retry.call(lambda: self._study.user_attrs)
        check_attributes(self._study, self._identity, attributes)
        command = command_in(attributes)
        if command != self._command:
            _log.info("the study %s", _IN_WORDS[command])
        self._command, self._next_poll = command, time.monotonic() + POLL_SECONDS
        return command
