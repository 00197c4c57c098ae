"""Settings for reading your own recording. They determine the tensors, so a study stores them."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from nlb_search.data.errors import DataError


class RecordingSettings(BaseModel):
    """Settings for reading your own recording. The defaults that are used are logged.

    ``heldout`` is the share of neurons to hold out at random, or the name of a boolean column of the unit table. It
    also applies to lfads-torch's arrays; all other settings are for NWB files only.

    ``window_ms`` is the trial window (start, end) relative to the time, in seconds, in the trial column ``align``. The
    ``forward_ms`` after the window are the forward bins. ``split`` is a trial column with the values train, val, test
    or none; without it, the last ``val_share`` of the trials are val. ``behavior`` is the time series to decode, read
    ``lag_ms`` after the spikes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    heldout: float | str = 0.25
    align: str = "start_time"
    window_ms: tuple[int, int] | None = None
    forward_ms: int | None = Field(default=None, ge=0)
    split: str | None = None
    val_share: float = Field(default=0.2, gt=0, lt=1)
    behavior: str | None = None
    lag_ms: int = 0

    @field_validator("heldout")
    @classmethod
    def _share(cls, heldout: float | str) -> float | str:
        if isinstance(heldout, float) and not 0 < heldout < 1:
            raise ValueError("a share of the neurons must be between 0 and 1")
        return heldout

    @field_validator("window_ms")
    @classmethod
    def _forwards(cls, window_ms: tuple[int, int] | None) -> tuple[int, int] | None:
        if window_ms is not None and window_ms[0] >= window_ms[1]:
            raise ValueError("a window must end after it starts")
        return window_ms

    def check_unused(self, used: frozenset[str], path: Path, why: str) -> None:
        """Raises DataError if a setting that is not in ``used`` differs from its default."""
        changed = (name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default)
        for name in changed:
            if name not in used:
                raise DataError(f"the setting {name} does not apply to {path}: {why}; remove it from --recording")


def read_settings(path: Path) -> RecordingSettings:
    """Read settings from a TOML file. Raises DataError, with the key, if they are not valid."""
    try:
        return RecordingSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"cannot read the settings {path}: {error.strerror}") from error
    except ValidationError as error:
        raise DataError(f"{path}: {_first(error)}") from error
    except ValueError as error:
        raise DataError(f"{path} is not a valid TOML file: {error}") from error


def _first(error: ValidationError) -> str:
    """Describes the first error in the settings."""
    wrong = error.errors()[0]
    name = str(wrong["loc"][0])
    if wrong["type"] == "extra_forbidden":
        return f"unknown setting '{name}': choose one of {', '.join(RecordingSettings.model_fields)}"
    return f"'{name}' cannot be {wrong['input']!r} ({wrong['msg'].removeprefix('Value error, ')})"
