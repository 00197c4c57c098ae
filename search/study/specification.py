"""The specification of a search: everything a worker needs, kept in the study itself."""

import math
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from nlb_search.data.own.settings import RecordingSettings
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.training.state import Plan
from nlb_search.search.errors import SearchError
from nlb_search.search.sampling.settings import PrunerName, SamplerName, SamplingSettings
from nlb_search.search.sampling.space import ARCHITECTURE, NamedSpace, Space, space_for

BATCH_SIZE = 32
DEFAULT_STEPS = 125
"""Steps of the optimizer in a trial unless --epochs says otherwise: with twice as many, an mc_rtt-like recording scored
no better.
"""
FEWEST_EPOCHS, MAX_EPOCHS = 12, 150
EVALUATIONS = 40
"""Looks at val in a trial, at most: enough to prune early, few enough to cost little."""


class SearchSpec(BaseModel):
    """What one study searches, on what, and for how long. Stored as JSON when the study is made; it never changes.

    ``content_hash`` is that of the recording's files; ``recording`` says how one's own is read, and is None for a
    dataset of the benchmark; ``trials`` the number that shall finish; ``epochs`` the most that one trial trains, in
    batches of ``batch_size`` trials and scored after every ``evaluate_every``; ``seed`` fixes every draw of sampler,
    masks and weights. ``versions`` are those of the packages that decide a score and, of a recording that was fetched
    from DANDI, that of its dandiset.
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


OPTION_OF_FIELD: dict[str, str] = {
    "dataset": "--dataset",
    "bin_ms": "--bin-size",
    "architectures": "--arch",
    "sampler": "--sampler",
    "pruner": "--pruner",
    "trials": "--trials",
    "epochs": "--epochs",
    "seed": "--seed",
}
"""The command line's options that a study remembers as they were given, by the field that holds them."""


def differences(spec: SearchSpec, given: dict[str, Any]) -> list[str]:
    """For each option that was given again with another value: a phrase that names it and both values."""
    return [
        f"{OPTION_OF_FIELD[field]} {_shown(getattr(spec, field))}, not {_shown(value)}"
        for field, value in given.items()
        if getattr(spec, field) != value
    ]


def space_differences(spec: SearchSpec, given: NamedSpace) -> list[str]:
    """As ``differences``, for a space: whatever its name, the ranges count. Names the first that is another."""
    ranges = space_for(given, [parse_chain(text) for text in spec.architectures])
    changed = [setting for setting in spec.space | ranges if spec.space.get(setting) != ranges.get(setting)]
    stored, wanted = ({s: str(space.get(s, "left to the chain")) for s in changed} for space in (spec.space, ranges))
    return [
        f"--space {spec.space_name} with {setting} {stored[setting]}, not {given.name} with {wanted[setting]}"
        for setting in changed[:1]
    ]


def recording_differences(spec: SearchSpec, given: RecordingSettings) -> list[str]:
    """As ``differences``, for how a recording is read. Names the first setting that is another."""
    if spec.recording is None:
        return [f"the benchmark's own windows and splits of {spec.dataset}, not --recording"]
    stored, wanted = (_written(settings) for settings in (spec.recording, given))
    changed = [name for name in stored if stored[name] != wanted[name]]
    return [f"--recording with {name} {stored[name]}, not {wanted[name]}" for name in changed[:1]]


def _written(settings: RecordingSettings) -> dict[str, Any]:
    """Settings by their names, as a TOML file writes them: it has no word for None."""
    values = settings.model_dump(mode="json")
    return {name: "left out" if value is None else value for name, value in values.items()}


def _shown(value: Any) -> str:
    return " and ".join(f"'{item}'" for item in value) if isinstance(value, tuple) else str(value)
