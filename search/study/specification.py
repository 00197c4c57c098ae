"""The specification of a search: everything that a worker needs, stored in the study itself."""

import math
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from nlb_search.data.own.settings import RecordingSettings
from nlb_search.models.training.plan import Plan
from nlb_search.search.errors import SearchError
from nlb_search.search.sampling.ranges import ARCHITECTURE, Space
from nlb_search.search.sampling.settings import PrunerName, SamplerName, SamplingSettings

BATCH_SIZE = 32
DEFAULT_STEPS = 125
"""Steps of the optimizer in a trial unless --epochs says otherwise: with twice as many, an mc_rtt-like recording scored
no better.
"""
FEWEST_EPOCHS, MAX_EPOCHS = 12, 150
EVALUATIONS = 40
"""Maximum number of evaluations per trial: enough to prune early, few enough to cost little."""


class SearchSpec(BaseModel):
    """What a study searches, on which recording, and for how long. Stored as JSON when it is created; never changed.

    ``content_hash`` is that of the recording's files. ``recording`` holds the settings for reading your own recording
    and is None for a dataset of the benchmark. ``trials`` is the number of trials to finish, ``epochs`` the maximum
    number of epochs per trial, in batches of ``batch_size`` trials, with an evaluation every ``evaluate_every`` epochs.
    ``seed`` is the random seed of sampler, masks and weights. ``versions`` are those of the packages that determine a
    score, and of the dandiset if the recording was fetched from DANDI.
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
    trials: int = Field(gt=0)
    epochs: int = Field(gt=0)
    evaluate_every: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    seed: int = Field(ge=0)
    versions: dict[str, str]

    @property
    def plan(self) -> Plan:
        """How each trial is trained."""
        return Plan(epochs=self.epochs, evaluate_every=self.evaluate_every, batch_size=self.batch_size)

    @property
    def sampling(self) -> SamplingSettings:
        """How its settings are sampled and its trials pruned."""
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
        )

    def architecture_of(self, params: Mapping[str, Any]) -> str:
        """The chain of the trial that has these parameters: one of them where the study has several chains."""
        return str(params.get(ARCHITECTURE, self.architectures[0]))

    def trial_seed(self, number: int) -> int:
        """The seed of one trial's training and sampling, below 2**32."""
        return self.sampling.trial_seed(number)


def default_epochs(n_trials: int) -> int:
    """Epochs that give a recording with so many training trials about the usual number of steps."""
    steps_per_epoch = math.ceil(n_trials / BATCH_SIZE)
    return min(max(round(DEFAULT_STEPS / steps_per_epoch), FEWEST_EPOCHS), MAX_EPOCHS)


def versions_here() -> dict[str, str]:
    """The versions that decide what a trial's score is."""
    return {"python": platform.python_version()} | {
        package: version(package) for package in ("nlb-search", "optuna", "torch", "numpy")
    }


def check_versions(spec: SearchSpec) -> None:
    """Raises SearchError where a trial here would not be drawn or trained as the study's others were."""
    for package in ("nlb-search", "optuna"):
        check_version(spec, package)


def check_version(spec: SearchSpec, package: str) -> None:
    """Raises SearchError where another version of the package is installed than the study was made with."""
    made_with, here = spec.versions[package], versions_here()[package]
    if made_with != here:
        raise SearchError(
            f"the study was made with {package} {made_with}, and here is {here}: install that version to work on it"
        )
