"""What a lab decides about a recording of its own: kept in the study, for it decides the tensors."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from nlb_search.data.errors import DataError


class RecordingSettings(BaseModel):
    """Settings for reading your own recording; defaults that are used are logged.

    ``heldout`` is the share of neurons that are held out, drawn at random, or the name of a true or false column of
    the unit table. The rest is for NWB files alone: ``align`` is the column of the trial table with the time, in
    seconds, around which ``window_ms`` lies, the ``forward_ms`` after it being the forward bins; ``split`` is the
    column that says train, val, test or none of each trial, without which the last ``val_share`` of the trials are
    val; ``behavior`` is the time series to decode, read ``lag_ms`` later than the spikes.
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
            raise ValueError("a share of the neurons lies between 0 and 1")
        return heldout

    @field_validator("window_ms")
    @classmethod
    def _forwards(cls, window_ms: tuple[int, int] | None) -> tuple[int, int] | None:
        if window_ms is not None and window_ms[0] >= window_ms[1]:
            raise ValueError("a window ends after it starts")
        return window_ms

    def check_unused(self, used: frozenset[str], place: Path, why: str) -> None:
        """Raises DataError if a setting that is not ``used`` has another value than its default."""
        said = (name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default)
        for name in said:
            if name not in used:
                raise DataError(f"the setting {name} says nothing of {place}: {why}; leave it out of --recording")


def read_settings(path: Path) -> RecordingSettings:
    """The settings that a TOML file writes. Raises DataError, with the key, for a file that writes none."""
    try:
        return RecordingSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"cannot read the settings {path}: {error.strerror}") from error
    except ValidationError as error:
        raise DataError(f"{path}: {_first(error)}") from error
    except ValueError as error:
        raise DataError(f"{path}: this is not TOML: {error}") from error


def _first(error: ValidationError) -> str:
    """The first thing that is wrong with settings, in words."""
    wrong = error.errors()[0]
    name = str(wrong["loc"][0])
    if wrong["type"] == "extra_forbidden":
        return f"'{name}' is no setting: choose one of {', '.join(RecordingSettings.model_fields)}"
    return f"'{name}' cannot be {wrong['input']!r} ({wrong['msg'].removeprefix('Value error, ')})"
