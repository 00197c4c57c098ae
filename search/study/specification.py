"""The specification of a search: everything that a worker needs, stored in the study itself."""

import logging
import platform
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.models.architecture.named_chains import SEPARATOR
from nlb_search.models.training.training_plan import TrainingPlan
from nlb_search.search.errors import SearchError
from nlb_search.search.objectives import CO_BPS_ALONE, ObjectiveName
from nlb_search.search.sampling.sampling_settings import PrunerName, SamplerName, SamplingSettings
from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE, Space
from nlb_search.search.study.definition_versions import (
    DefinitionVersions,
    stored_definitions,
    versions_of_definitions,
)
from nlb_search.search.trials.trial_seeds import repeated_seed

_log = logging.getLogger(__name__)


class SearchSpec(BaseModel):
    """What a study searches, on which recording, and for how long. Stored as JSON when it is created; never changed.

    - ``content_hash``: that of the recording's files.
    - ``recording``: settings for reading your own recording, or None for a dataset of the benchmark.
    - ``objectives``: what the sampler optimizes, computed on val for the network with the best co-bps of each trial.
      The first is a score.
    - ``like``: the study whose best settings are tried first.
    - ``copy_of``: the study whose settings and valid trials were copied.
    - ``trials``, ``budget_hours``: the initial budgets: the number of trials to finish, and of hours, or None.
      ``OpenStudy.budget`` and ``OpenStudy.budget_hours`` are the present ones.
    - ``until_flat``: the search ends earlier if as many trials again are expected to increase the best co-bps by less
      than this.
    - ``epochs``: maximum number of epochs per trial, with an evaluation every ``evaluate_every`` epochs.
    - ``seeds``: number of networks that each trial trains, as ``Replicates``.
    - ``keep``: number of best trials of each chain whose networks are kept, with those of trials tied with the best.
      None keeps all.
    - ``batch_size``: maximum number of trials per training step. A batch size in ``space`` replaces it.
    - ``seed``: random seed of sampler, masks and weights.
    - ``versions``: of the packages that determine a score, of the dandiset if the recording was fetched from DANDI, and
      of the sources of users' models.
    - ``definitions``: decide which versions of the package can continue the study.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    bin_ms: int
    content_hash: str
    recording: RecordingSettings | None = None
    architectures: tuple[str, ...]
    space_name: str
    space: Space
    sampler: SamplerName
    pruner: PrunerName
    objectives: tuple[ObjectiveName, ...] = CO_BPS_ALONE
    like: str | None = None
    copy_of: str | None = None
    trials: int = Field(gt=0)
    budget_hours: float | None = Field(default=None, ge=0)
    until_flat: float | None = Field(default=None, ge=0)
    epochs: int = Field(gt=0)
    seeds: int = Field(default=1, gt=0)
    keep: int | None = Field(default=None, gt=0)
    evaluate_every: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    seed: int = Field(ge=0)
    versions: dict[str, str]
    definitions: DefinitionVersions = Field(default_factory=versions_of_definitions)

    @property
    def plan(self) -> TrainingPlan:
        """The training plan of each trial."""
        return TrainingPlan(epochs=self.epochs, evaluate_every=self.evaluate_every, batch_size=self.batch_size)

    @property
    def batch_sizes(self) -> str:
        """The maximum number of trials per training step, or what is searched of it, as text."""
        return str(self.space.get("batch_size", self.batch_size))

    @property
    def has_own_objectives(self) -> bool:
        """Whether the objectives are others than co-bps alone. No trial of such a study is pruned."""
        return self.objectives != CO_BPS_ALONE

    @property
    def sampling(self) -> SamplingSettings:
        """The settings of the sampler and pruner."""
        return SamplingSettings(
            sampler=self.sampler,
            pruner=self.pruner,
            space_name=self.space_name,
            space=self.space,
            architectures=self.architectures,
            trials=self.trials,
            epochs=self.epochs,
            evaluate_every=self.evaluate_every,
            seed=self.seed,
            objectives=self.objectives,
        )

    def architecture_of(self, params: Mapping[str, Any]) -> str:
        """The chain of a trial with these parameters. It is a parameter only in studies with several chains."""
        return str(params.get(ARCHITECTURE, self.architectures[0]))

    def trial_seed(self, number: int) -> int:
        """Random seed of the sampling of trial ``number`` and of its first network, below 2**32."""
        return self.sampling.trial_seed(number)

    def network_seed(self, number: int, repeat: int) -> int:
        """Random seed of a network of trial ``number``, below 2**32. ``repeat`` counts its networks from 0."""
        return repeated_seed(self.trial_seed(number), repeat)


def installed_versions() -> dict[str, str]:
    """Versions of the installed packages that affect a trial's score, and of nlb_tools, its referee, if installed."""
    packages = ["nlb-search", "optuna", "torch", "numpy"]
    if find_spec("nlb_tools") is not None:
        packages.append("nlb_tools")
    return {"python": platform.python_version()} | {package: version(package) for package in packages}


def read_specification(stored: dict[str, Any]) -> SearchSpec:
    """The specification that a study stores. Raises pydantic's ValidationError if this version cannot read it."""
    return SearchSpec.model_validate(stored | {"definitions": stored_definitions(stored)})


def check_continuation(spec: SearchSpec) -> None:
    """Raise SearchError if trials would be trained differently from the study's, and warn if only sampled differently.

    Trials that were sampled or pruned differently can still be compared.
    """
    check_training(spec)
    if spec.definitions.sampling != versions_of_definitions().sampling:
        _log.warning(
            "the study was created with nlb-search %s, and %s samples and prunes trials differently: "
            "it continues with the new definition",
            spec.versions["nlb-search"],
            installed_versions()["nlb-search"],
        )
    created_with, here = spec.versions["optuna"], installed_versions()["optuna"]
    if created_with != here:
        raise SearchError(
            f"the study was created with optuna {created_with}, but {here} is installed: install {created_with}"
        )


def check_training(spec: SearchSpec) -> None:
    """Raise SearchError if the installed version would train networks differently from the study's."""
    check_network(spec)
    if spec.definitions.training != versions_of_definitions().training:
        raise _other_definition(spec, "training", "its trials can be exported with --phase val; to train more, ")


def check_network(spec: SearchSpec) -> None:
    """Raise SearchError if the study's saved networks would give other rates here: in the installed version of the
    package, or with the source of a user's model.

    Raises OwnModelError if the module of a model is not found.
    """
    if spec.definitions.network != versions_of_definitions().network:
        raise _other_definition(spec, "networks", "")
    if any(SEPARATOR in text for text in spec.architectures):
        from nlb_search.search.study.own_sources import check_sources  # imports torch, which takes seconds

        check_sources(spec.versions, spec.architectures)


def _other_definition(spec: SearchSpec, what: str, possible: str) -> SearchError:
    created_with, here = spec.versions["nlb-search"], installed_versions()["nlb-search"]
    return SearchError(
        f"the study was created with nlb-search {created_with}, but {here} has a different definition of {what}: "
        f"{possible}install {created_with}"
    )
