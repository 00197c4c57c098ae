"""Opening an existing study: the first step of every command except ``launch``."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial
from pydantic import ValidationError

from nlb_search.search.default_locations import DATA, DATA_VARIABLE, STORAGE_VARIABLE
from nlb_search.search.errors import SearchError
from nlb_search.search.sampling.pruners import make_pruner
from nlb_search.search.study.specification import SearchSpec, read_specification
from nlb_search.search.trials.expected_gain import is_flat
from nlb_search.search.trials.trial_seeds import SEED_KEY, repeated_seed
from nlb_search.storage.checkpoints import Checkpoints, default_artifacts, study_folder
from nlb_search.storage.claims.budget import budget_of, change_budget
from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.claims.time_used import budget_hours_in, change_budget_hours
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import StorageUrl, parse_url
from nlb_search.storage.errors import StorageError
from nlb_search.storage.studies import open_study

if TYPE_CHECKING:
    from nlb_search.data.recording import Recording


@dataclass(frozen=True)
class Locations:
    """Locations of the studies' storage, the checkpoints and the recordings.

    ``data_is_default`` is true if the user did not say where the recordings are: the study may remember it.
    """

    url: StorageUrl
    artifacts: Path
    data: Path
    data_is_default: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that pass these to another process: a command line would show the password."""
        return {
            STORAGE_VARIABLE: self.url.with_password,
            "NLB_SEARCH_ARTIFACTS": str(self.artifacts.absolute()),
            DATA_VARIABLE: str(self.data.absolute()),
        }


@dataclass(frozen=True)
class OpenStudy:
    """A study with its specification and identity, ready to use."""

    locations: Locations
    study: optuna.Study
    spec: SearchSpec
    identity: str

    @property
    def name(self) -> str:
        return self.study.study_name

    @property
    def has_own_folder(self) -> bool:
        """Whether no other study uses the folder of its checkpoints; not certain for studies of version 0.4.0."""
        return self.identity != self.name

    @property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(study_folder(self.locations.artifacts, self.identity))

    @property
    def budget(self) -> int:
        """The current number of trials to finish, read from the database."""
        return budget_of(self.study, self.spec.trials)

    def network_seed(self, trial: FrozenTrial, repeat: int = 0) -> int:
        """Random seed with which a network of a trial was trained. ``repeat`` counts its networks from 0."""
        first = trial.user_attrs.get(SEED_KEY, self.spec.trial_seed(trial.number))
        return repeated_seed(first, repeat)

    @property
    def budget_hours(self) -> float | None:
        """The hours that workers may spend on the trials now, or None if they are not limited; reads the database."""
        return budget_hours_in(self.study.user_attrs, self.spec.budget_hours)

    def change_budget_hours(self, hours: float) -> None:
        """Set the hours that workers may spend on the trials. Raises StorageError if more were spent."""
        change_budget_hours(self.locations.url, self.study, hours)

    def change_budget(self, trials: int) -> None:
        """Set the number of trials to finish, also for workers that are running.

        Raises UsageError if the sampler does not support it, and StorageError if more trials were started.
        """
        from nlb_search.search.sampling.samplers import check_sampler  # imports torch, which takes seconds

        check_sampler(self.spec.model_copy(update={"trials": trials}).sampling)
        change_budget(self.locations.url, self.study, trials)

    def claims(self, retry: DatabaseRetry) -> Claims:
        """Claims on the study's trials, which are shared with other workers."""
        from nlb_search.search.sampling.samplers import make_sampler  # imports torch, which takes seconds

        return Claims(
            self.locations.url,
            self.study,
            self.identity,
            self.spec.trials,
            partial(make_sampler, self.spec.sampling),
            retry,
            partial(is_flat, threshold=self.spec.until_flat),
            self.spec.budget_hours,
        )

    def recording(self) -> "Recording":
        """Open the study's recording. Raises SearchError if the files have moved, or have another content."""
        from nlb_search.data.opening import open_recording  # imported here: most commands do not need it
        from nlb_search.search.study.recording_location import check_present, other_location_hint

        spec = self.spec
        check_present(self.study, spec.dataset, self.locations.data)
        recording = open_recording(spec.dataset, self.locations.data, spec.bin_ms, settings=spec.recording)
        if recording.content_hash != self.spec.content_hash:
            elsewhere = other_location_hint(self.study, self.locations.data)
            raise SearchError(
                f"the study '{self.name}' was created from {self.spec.dataset} with content hash "
                f"{self.spec.content_hash[:12]}, but {self.locations.data} has content hash "
                f"{recording.content_hash[:12]}: give the same files with --data{elsewhere}"
            )
        return recording


def locations_of(storage: str, data: Path | None, artifacts: Path | None) -> Locations:
    """The locations that the user gave, or their defaults. Raises StorageError if the URL ``storage`` is not valid."""
    url = parse_url(storage)
    return Locations(url, (artifacts or default_artifacts(url)).absolute(), data or DATA, data is None)


def existing_database(url: StorageUrl) -> optuna.storages.BaseStorage:
    """Open the database at ``url``. Raises StorageError instead of creating a SQLite file or private server."""
    check_exists(url)
    return open_database(url)


def check_exists(url: StorageUrl) -> None:
    """Raise StorageError if ``url`` is a SQLite file or private server that does not exist."""
    path = url.on_disk
    if path is not None and not path.exists():
        raise StorageError(f"there is no database {path}: create a study with `nlb-search launch`, or pass --storage")


def open_named_study(locations: Locations, name: str) -> OpenStudy:
    """Open the study ``name`` of the storage, with its specification and pruner.

    Raises StorageError if it does not exist, and SearchError if another version of nlb-search created it.
    """
    opened = open_study(existing_database(locations.url), name)
    study, stored = opened.study, opened.spec
    try:
        spec = read_specification(stored)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise SearchError(
            f"the study '{name}' was created by another version of nlb-search (its '{field}' cannot be read): "
            f"use version {stored.get('versions', {}).get('nlb-search', 'that created it')}"
        ) from error
    study.pruner = make_pruner(spec.sampling)
    return OpenStudy(_located(locations, study, spec), study, spec, opened.identity)


def _located(locations: Locations, study: optuna.Study, spec: SearchSpec) -> Locations:
    """The locations, with that of the study's recording, if the user did not give one."""
    if not locations.data_is_default:
        return locations
    from nlb_search.search.study.recording_location import location_of  # imports numpy: not for `status`

    return replace(locations, data=location_of(study, spec.dataset, locations.data), data_is_default=False)
