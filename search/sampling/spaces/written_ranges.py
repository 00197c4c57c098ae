"""Ranges as written in a TOML file: a table is a range, a list a choice, all else a fixed value."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from nlb_search.models.hyperparameters import Allowed, shown
from nlb_search.search.sampling.spaces.range_types import Choice, FloatRange, IntRange, Range, ZeroOrFloatRange


class _RangeTable(BaseModel):
    """A range as written in a file. The allowed bounds depend on the setting and are checked later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    low: Any
    high: Any
    log: bool | None = None
    zero: bool = False


def written_range(setting: str, allowed: Allowed, value: Any) -> Range:
    """The range that a value in the file represents. Raises ValueError, with the setting, if it is not valid."""
    try:
        match value:
            case dict():
                return _from_table(allowed, value)
            case list():
                return _choice(allowed, value)
            case _:
                return _choice(allowed, [value])
    except ValueError as error:
        raise ValueError(f"'{setting}' {error}") from error


def _choice(allowed: Allowed, values: list[Any]) -> Choice:
    read = tuple(allowed.read(value) for value in values)
    if not read:
        raise ValueError("is an empty list: write at least one value")
    # The order of the words in a mask variant does not matter.
    kinds = [frozenset(value.split()) if isinstance(value, str) else value for value in read]
    duplicates = [value for index, value in enumerate(read) if kinds[index] in kinds[:index]]
    if duplicates:
        raise ValueError(f"contains {shown(duplicates[0])} more than once: write each value once")
    return Choice(values=read)


def _from_table(allowed: Allowed, written: dict[str, Any]) -> Range:
    if not allowed.is_number:
        raise ValueError(f"cannot be a range: write {allowed.words}, or a list of such values")
    try:
        table = _RangeTable.model_validate(written)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(
            f"is not a range (its '{first['loc'][0]}': {first['msg'].lower()}): write {{ low = ..., high = ... }}, "
            "and optionally log = true or zero = true"
        ) from None
    low, high = allowed.read(table.low), allowed.read(table.high)
    if low >= high:
        raise ValueError(f"is {shown(low)} to {shown(high)}: low must be below high")
    is_log = table.zero or allowed.type is int
    if is_log and table.log is False:
        raise ValueError("cannot have log = false: ranges of integers and with zero = true are log-uniform")
    if (is_log or table.log) and low <= 0:
        raise ValueError(f"has low = {shown(low)}: low must be above 0 in a log-uniform range")
    if table.zero:
        allowed.read(0)
        return ZeroOrFloatRange(low=low, high=high)
    if allowed.type is int:
        return IntRange(low=low, high=high)
    return FloatRange(low=low, high=high, log=bool(table.log))
