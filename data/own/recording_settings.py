"""Settings for reading your own recording. They determine the tensors, so a study stores them."""

import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nlb_search.data.errors import DataError
from nlb_search.data.own.row_expression import parse_expression

_ALWAYS_HASHED = ("heldout", "align", "window_ms", "forward_ms", "split", "val_share", "behavior", "lag_ms")


class RecordingSettings(BaseModel):
    """Settings for reading your own recording. The defaults that are used are logged.

    ``heldout`` is the fraction of neurons to hold out at random, the name of a boolean column of the unit table, or the
    ids of the units to hold out. It also applies to lfads-torch's arrays, whose channels count as ids; all other
    settings are for recordings with spike times only.

    ``units``, an expression over the columns of the unit table, and ``min_rate_hz`` say which units are used;
    ``units_table`` is the path of the table if the file has several. Spike times that are out of order are rejected
    unless ``sort_spikes`` is true.

    ``trial_table`` is the CSV file with the trials in a folder of Kilosort or phy.

    ``window_ms`` is the trial window (start, end) relative to the time, in seconds, in the trial column ``align``. The
    ``forward_ms`` after the window are the forward bins. ``split`` is a trial column with the values train, val, test
    or none; without it, the last ``val_share`` of the trials are val. ``behavior`` is the time series to decode, read
    ``lag_ms`` after the spikes. ``condition`` has the trial columns whose values are the conditions of the trial
    averages; one column may be given without a list.

    ``interval`` has the trial columns with the start and the end, in seconds, of the interval that the animal produces
    in a timing task, whose correlation with the speed of the rates is scored within each condition of the columns
    ``interval_condition``.

    ``cut_ms`` cuts a continuous recording into windows of this length, ``gap_ms`` apart, instead of reading trials:
    from the whole recording, or from the intervals of the table ``within`` of which the expression ``within_rows``
    is true. ``val_share`` of the windows are then val, and as many test.

    ``more_sessions`` are files with further sessions of the same units, beside the first; all trials are pooled.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    heldout: float | str | tuple[int, ...] = 0.25
    units: str | None = None
    min_rate_hz: float = Field(default=0.0, ge=0)
    units_table: str | None = None
    sort_spikes: bool = False
    trial_table: str = "trials.csv"
    align: str = "start_time"
    window_ms: tuple[int, int] | None = None
    forward_ms: int | None = Field(default=None, ge=0)
    split: str | None = None
    val_share: float = Field(default=0.2, gt=0, lt=1)
    behavior: str | None = None
    lag_ms: int = 0
    condition: tuple[str, ...] = ()
    interval: tuple[str, str] | None = None
    interval_condition: tuple[str, ...] = ()
    cut_ms: int | None = Field(default=None, gt=0)
    gap_ms: int = Field(default=0, ge=0)
    within: str | None = None
    within_rows: str | None = None
    more_sessions: tuple[str, ...] = ()

    @field_validator("heldout")
    @classmethod
    def _share_or_ids(cls, heldout: float | str | tuple[int, ...]) -> float | str | tuple[int, ...]:
        if isinstance(heldout, float) and not 0 < heldout < 1:
            raise ValueError("a fraction of the neurons must be between 0 and 1")
        if isinstance(heldout, tuple) and (not heldout or len(set(heldout)) < len(heldout)):
            raise ValueError("a list of unit ids must have at least one id, and each id once")
        return heldout

    @field_validator("window_ms")
    @classmethod
    def _forwards(cls, window_ms: tuple[int, int] | None) -> tuple[int, int] | None:
        if window_ms is not None and window_ms[0] >= window_ms[1]:
            raise ValueError("a window must end after it starts")
        return window_ms

    @field_validator("condition", "interval_condition", mode="before")
    @classmethod
    def _as_list(cls, condition: Any) -> Any:
        return (condition,) if isinstance(condition, str) else condition

    @field_validator("units", "within_rows")
    @classmethod
    def _valid_expression(cls, expression: str | None) -> str | None:
        if expression is not None:
            parse_expression(expression)
        return expression

    @field_validator("condition", "interval_condition", "more_sessions")
    @classmethod
    def _different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("each name must be given once")
        return names

    @model_validator(mode="after")
    def _windows_or_trials(self) -> Self:
        changed = set(self.changed)
        if self.interval_condition and self.interval is None:
            raise ValueError("interval_condition has no effect without interval: set interval, or remove it")
        if self.cut_ms is None:
            for name in changed.intersection(("gap_ms", "within", "within_rows")):
                raise ValueError(f"{name} has no effect without cut_ms: set cut_ms, or remove {name}")
            return self
        for name in changed.intersection(("align", "window_ms", "split", "trial_table", "condition", "interval")):
            raise ValueError(f"{name} is for trials, and cut_ms for windows without trials: remove one of them")
        if self.within_rows is not None and self.within is None:
            raise ValueError("within_rows needs within, the table whose rows it selects")
        if self.val_share >= 0.5:
            raise ValueError(
                f"val_share is {self.val_share:g}, but with cut_ms, val and test must leave some for train"
            )
        return self

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the settings that differ from their defaults."""
        return tuple(name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default)

    def hashed(self) -> dict[str, Any]:
        """The part of the content hash of a recording that comes from its settings.

        Settings that were added later are left out unless they are changed, so that a new version of the program
        with more settings gives the same hash.
        """
        values = self.model_dump(mode="json")
        return {name: value for name, value in values.items() if name in _ALWAYS_HASHED or name in self.changed}

    def check_unused(self, used: frozenset[str], path: Path, why: str) -> None:
        """Raises DataError if a setting that is not in ``used`` differs from its default."""
        for name in self.changed:
            if name not in used:
                raise DataError(f"the setting {name} does not apply to {path}: {why}; remove it")


def read_settings(path: Path) -> RecordingSettings:
    """Read settings from a TOML file. Raises DataError, with the key, if they are not valid."""
    return checked_settings(read_values(path), str(path))


def read_values(path: Path) -> dict[str, Any]:
    """Read the values of a TOML file. Raises DataError if it is not valid TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read the settings {path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path} is not a valid TOML file: {error}") from error


def checked_settings(values: dict[str, Any], source: str) -> RecordingSettings:
    """Make settings from ``values``. Raises DataError, which begins with ``source``, if they are not valid."""
    try:
        return RecordingSettings.model_validate(values)
    except ValidationError as error:
        raise DataError(f"{source}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """Describes the first error in the settings."""
    wrong = error.errors()[0]
    why = wrong["msg"].removeprefix("Value error, ")
    if not wrong["loc"]:
        return why
    name = str(wrong["loc"][0])
    if wrong["type"] == "extra_forbidden":
        return f"unknown setting '{name}': choose one of {', '.join(RecordingSettings.model_fields)}"
    return f"'{name}' cannot be {wrong['input']!r} ({why})"
