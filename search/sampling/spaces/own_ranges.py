"""The ranges of a user's model: those that its class implies, and those of its table in a TOML file."""

from collections.abc import Mapping
from typing import Any

from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.models.architecture.own.settings import OwnSetting
from nlb_search.models.errors import OwnModelError
from nlb_search.search.errors import UsageError
from nlb_search.search.sampling.spaces.range_types import USE, Choice, FloatRange, IntRange, Range, Space
from nlb_search.search.sampling.spaces.written_ranges import written_range


def own_ranges(model: OwnModel, space_name: str, table: Mapping[str, Any]) -> Space:
    """The ranges of a model's own hyperparameters, by name in the study.

    A hyperparameter that is not in ``table`` has the range that its class implies; without one, it keeps its default.
    Raises UsageError, which names the space, if the table is not valid, and OwnModelError if the class is not.
    """
    settings = model.settings()
    for name in table:
        if f"{model.prefix}{name}" not in settings:
            known = ", ".join(setting.removeprefix(model.prefix) for setting in settings) or "none"
            raise UsageError(f"{space_name}: {model} has no hyperparameter '{name}': its hyperparameters are {known}")
    written = {f"{model.prefix}{name}": value for name, value in table.items()}
    ranges: Space = {}
    for name, setting in settings.items():
        if name.endswith(USE):
            raise OwnModelError(f"the name of the hyperparameter {name} ends with {USE}, which is reserved: rename it")
        if name in written:
            try:
                ranges[name] = written_range(name, setting.allowed, written[name])
            except ValueError as error:
                raise UsageError(f"{space_name}: {error}") from error
        elif (implied := _implied(name, setting)) is not None:
            ranges[name] = implied
    return ranges


def _implied(name: str, setting: OwnSetting) -> Range | None:
    """All choices, or the range between the bounds ``ge`` and ``le``; None if there are neither."""
    if setting.choices is not None:
        return Choice(values=setting.choices)
    if setting.low is None or setting.high is None:
        return None
    if setting.allowed.type is float:
        return FloatRange(low=setting.low, high=setting.high)
    if setting.low < 1:
        raise OwnModelError(
            f"the hyperparameter {name} has ge={setting.low}: ranges of integers are log-uniform and start at 1 "
            "or more; list its values in a Literal"
        )
    return IntRange(low=int(setting.low), high=int(setting.high))
