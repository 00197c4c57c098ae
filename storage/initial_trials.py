"""Finished trials of a study that are copied to a new study when it is created."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from nlb_search.storage.atomic_files import atomic_file
from nlb_search.storage.checkpoints import Checkpoints
from nlb_search.storage.errors import StorageError


@dataclass(frozen=True)
class InitialTrial:
    """A trial as the new study has it, apart from its number, and the file of its networks, if it has one."""

    trial: FrozenTrial
    networks: Path | None


@dataclass(frozen=True)
class InitialTrials:
    """The trials that a new study begins with, and user attributes of the study about them."""

    trials: Sequence[InitialTrial] = ()
    attributes: dict[str, Any] = field(default_factory=dict)

    def add_to(self, study: optuna.Study, checkpoints: Checkpoints) -> None:
        """Add the trials to a study without trials. Each gets the file of its networks first.

        Raises StorageError if a file cannot be copied.
        """
        for number, initial in enumerate(self.trials):
            if initial.networks is not None:
                _copy(initial.networks, checkpoints.best(number))
            study.add_trial(initial.trial)
        for key, value in self.attributes.items():
            study.set_user_attr(key, value)


def _copy(source: Path, target: Path) -> None:
    try:
        with atomic_file(target) as part:
            shutil.copyfile(source, part)
    except OSError as error:
        raise StorageError(
            f"cannot copy {source} to {target} ({error.strerror}): run the command again when this is fixed"
        ) from error
