"""Compares the options of a command with the specification of an existing study."""

from typing import Any

from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.models.architecture.architectures import architectures_ever_named, parse_architecture
from nlb_search.search.sampling.spaces.predefined_spaces import space_for
from nlb_search.search.sampling.spaces.range_types import NamedSpace
from nlb_search.search.study.specification import SearchSpec

OPTION_OF_FIELD: dict[str, str] = {
    "dataset": "--dataset",
    "bin_ms": "--bin-size",
    "architectures": "--arch",
    "sampler": "--sampler",
    "pruner": "--pruner",
    "objectives": "--objective",
    "like": "--like",
    "copy_of": "--copy-of",
    "trials": "--trials",
    "budget_hours": "--budget-hours",
    "until_flat": "--until-flat",
    "epochs": "--epochs",
    "seeds": "--seeds",
    "keep": "--keep",
    "seed": "--seed",
}
"""Command-line options that are stored unchanged in a study, by field of its specification."""


def differences(spec: SearchSpec, given: dict[str, Any]) -> list[str]:
    """For each option whose value differs from the study's, a phrase with the option and both values."""
    return [
        f"{OPTION_OF_FIELD[field]} {_shown(getattr(spec, field))}, not {_shown(value)}"
        for field, value in given.items()
        if getattr(spec, field) != value
    ]


def architecture_differences(spec: SearchSpec, given: tuple[str, ...]) -> list[str]:
    """Like ``differences``, for names of architectures. In earlier versions, ``auto`` may have been other chains."""
    possible = [tuple(map(str, architectures)) for architectures in architectures_ever_named(given)]
    return [] if spec.architectures in possible else differences(spec, {"architectures": possible[0]})


def space_differences(spec: SearchSpec, given: NamedSpace) -> list[str]:
    """Like ``differences``, for a space: compares ranges, not names, and reports only the first difference."""
    ranges = space_for(given, [parse_architecture(text) for text in spec.architectures])
    changed = [setting for setting in spec.space | ranges if spec.space.get(setting) != ranges.get(setting)]
    stored, wanted = ({s: str(space.get(s, "left to the chain")) for s in changed} for space in (spec.space, ranges))
    return [
        f"--space {spec.space_name} with {setting} {stored[setting]}, not {given.name} with {wanted[setting]}"
        for setting in changed[:1]
    ]


def recording_differences(spec: SearchSpec, given: RecordingSettings) -> list[str]:
    """Like ``differences``, for the settings of a recording: reports only the first difference."""
    if spec.recording is None:
        return [f"the benchmark's windows and splits of {spec.dataset}, not --recording"]
    stored, wanted = (_written(settings) for settings in (spec.recording, given))
    changed = [name for name in stored if stored[name] != wanted[name]]
    return [f"--recording with {name} {stored[name]}, not {wanted[name]}" for name in changed[:1]]


def _written(settings: RecordingSettings) -> dict[str, Any]:
    """Settings by name, as in a TOML file, where None is represented by leaving a key out."""
    values = settings.model_dump(mode="json")
    return {name: "left out" if value is None else value for name, value in values.items()}


def _shown(value: Any) -> str:
    return " and ".join(f"'{item}'" for item in value) if isinstance(value, tuple) else str(value)
