"""What a command says of a study again, compared with what the study was made with."""

from typing import Any

from nlb_search.data.own.settings import RecordingSettings
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.search.sampling.ranges import NamedSpace
from nlb_search.search.sampling.space import space_for
from nlb_search.search.study.specification import SearchSpec

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
