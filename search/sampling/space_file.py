"""The values of ``--space``: paper, wide, or a TOML file that changes one of them."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from nlb_search.models.hyperparameters import ALLOWED, Allowed, shown
from nlb_search.search.errors import UsageError
from nlb_search.search.sampling.ranges import Choice, NamedSpace, Range, Real, Whole, ZeroOrReal
from nlb_search.search.sampling.space import SPACES

BASE = "base"
"""Key of the file that names the space to start from."""

AS_WRITTEN = "chain"
"""Value of num_layers that takes the number in the chain's parentheses instead of searching it."""


class _RangeTable(BaseModel):
    """A range as written in a file. The allowed bounds depend on the setting and are checked later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    low: Any
    high: Any
    log: bool | None = None
    zero: bool = False


def named_space(text: str) -> NamedSpace:
    """The space ``text``: a key of SPACES or the path of a TOML file.

    Raises UsageError if it is neither, or if the file is not valid; the message names the file, the key and the
    allowed values.
    """
    if text in SPACES:
        return NamedSpace(text, SPACES[text])
    path = Path(text)
    try:
        return parse_space(path.name, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"there is no space and no file '{text}': choose {' or '.join(SPACES)}, or give a TOML file"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read the space {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error


def parse_space(name: str, text: str) -> NamedSpace:
    """Parse a space from TOML. Raises ValueError, with the line or the key, if ``text`` is not valid."""
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"this is not TOML: {error}") from error
    base = settings.pop(BASE, "wide")
    if not isinstance(base, str) or base not in SPACES:
        raise ValueError(f"'{BASE}' must be {' or '.join(SPACES)}, not {shown(base)}")
    for setting in settings:
        if setting not in ALLOWED:
            raise ValueError(f"'{setting}' is not a setting: choose one of {', '.join(ALLOWED)}, or {BASE}")
    base_ranges = dict(SPACES[base])
    if settings.get("num_layers") == AS_WRITTEN:
        del settings["num_layers"], base_ranges["num_layers"]
    ranges = {setting: _range(setting, value) for setting, value in settings.items()}
    return NamedSpace(name, base_ranges | ranges, frozenset(ranges))


def _range(setting: str, value: Any) -> Range:
    """The range that a value in the file represents: a table is a range, a list a choice, all else a fixed value."""
    allowed = ALLOWED[setting]
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
        raise ValueError("cannot have log = false: ranges of whole numbers and with zero = true are log-uniform")
    if (is_log or table.log) and low <= 0:
        raise ValueError(f"has low = {shown(low)}: low must be above 0 in a log-uniform range")
    if table.zero:
        allowed.read(0)
        return ZeroOrReal(low=low, high=high)
    if allowed.type is int:
        return Whole(low=low, high=high)
    return Real(low=low, high=high, log=bool(table.log))
