"""The spaces that ``--space`` names: paper, wide, or a TOML file that changes one of them."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from nlb_search.models.hyperparameters import ALLOWED, Allowed, shown
from nlb_search.search.errors import UsageError
from nlb_search.search.sampling.ranges import Choice, NamedSpace, Range, Real, Whole, ZeroOrReal
from nlb_search.search.sampling.space import SPACES

BASE = "base"
"""The key of a file that names the space which holds for all that the file does not name."""

AS_WRITTEN = "chain"
"""What a file gives num_layers for the number in the chain's parentheses: it is then not searched."""


class _RangeTable(BaseModel):
    """A range as a file writes it. What its ends may be is for the setting to say."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    low: Any
    high: Any
    log: bool | None = None
    zero: bool = False


def named_space(text: str) -> NamedSpace:
    """The space ``text``: a name of SPACES or the path of a TOML file.

    Raises UsageError for neither, and for a file that is no space; the message names the file, the key and what is
    allowed there.
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
    """The space that a TOML text writes. Raises ValueError, with the line or the key, for a text that is none."""
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"this is not TOML: {error}") from error
    base = settings.pop(BASE, "wide")
    if not isinstance(base, str) or base not in SPACES:
        raise ValueError(f"'{BASE}' must be {' or '.join(SPACES)}, not {shown(base)}")
    for setting in settings:
        if setting not in ALLOWED:
            raise ValueError(f"'{setting}' is no setting: choose one of {', '.join(ALLOWED)}, or {BASE}")
    base_ranges = dict(SPACES[base])
    if settings.get("num_layers") == AS_WRITTEN:
        del settings["num_layers"], base_ranges["num_layers"]
    ranges = {setting: _range(setting, value) for setting, value in settings.items()}
    return NamedSpace(name, base_ranges | ranges, frozenset(ranges))


def _range(setting: str, value: Any) -> Range:
    """The range that a file's value stands for: a table is a range, a list a choice, all else one fixed value."""
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
        raise ValueError("has nothing to choose from: write one value or more")
    # Words in another order are the same mask variant.
    kinds = [frozenset(value.split()) if isinstance(value, str) else value for value in read]
    duplicates = [value for index, value in enumerate(read) if kinds[index] in kinds[:index]]
    if duplicates:
        raise ValueError(f"has {shown(duplicates[0])} twice: write each value once")
    return Choice(values=read)


def _from_table(allowed: Allowed, written: dict[str, Any]) -> Range:
    if not allowed.is_number:
        raise ValueError(f"has no ranges: write {allowed.words}, or a list of such values")
    try:
        table = _RangeTable.model_validate(written)
    except ValidationError as error:
        fault = error.errors()[0]
        raise ValueError(
            f"is not a range (its '{fault['loc'][0]}': {fault['msg'].lower()}): write {{ low = ..., high = ... }}, "
            "and log = true or zero = true where you want it"
        ) from None
    low, high = allowed.read(table.low), allowed.read(table.high)
    if low >= high:
        raise ValueError(f"is {shown(low)} to {shown(high)}: low must be below high")
    is_log = table.zero or allowed.type is int
    if is_log and table.log is False:
        raise ValueError("is drawn in its logarithm, whole numbers and zero = true always are: leave log out")
    if (is_log or table.log) and low <= 0:
        raise ValueError(f"has low = {shown(low)}: low must be above 0 to be drawn in its logarithm")
    if table.zero:
        allowed.read(0)
        return ZeroOrReal(low=low, high=high)
    if allowed.type is int:
        return Whole(low=low, high=high)
    return Real(low=low, high=high, log=bool(table.log))
