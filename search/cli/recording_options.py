"""The options of `inspect` and `launch` for reading your own recording: a file of settings, and each setting."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nlb_search.data.own.recording_settings import RecordingSettings


@dataclass(frozen=True)
class _Setting:
    """An option for one setting. ``kind`` is the type of its value, ``default`` what help says of it."""

    option: str
    kind: Any
    metavar: str
    default: str
    help: str


_SETTINGS = {
    "heldout": _Setting("--heldout", str, "SHARE|COLUMN|ID,ID", "0.25", "Share, unit column or ids of held-out units."),
    "units": _Setting("--units", str, "EXPRESSION", "all", "Units to use, as in \"quality == 'good'\"."),
    "min_rate_hz": _Setting("--min-rate", float, "HZ", "0", "Leave out units with a lower mean rate."),
    "units_table": _Setting("--units-table", str, "PATH", "the only one", "Path of the unit table in the file."),
    "trial_table": _Setting(
        "--trial-table", str, "FILE.csv", "trials.csv", "With a folder of Kilosort or phy: its file of trials."
    ),
    "align": _Setting("--align", str, "COLUMN", "start_time", "Trial column with the time that --window refers to."),
    "window_ms": _Setting(
        "--window", tuple[int, int], "START END", "the shortest trial", "Window of each trial, in ms around --align."
    ),
    "forward_ms": _Setting("--forward-ms", int, "MS", "200 if recorded", "Length of the forward bins."),
    "split": _Setting("--split-column", str, "COLUMN", "by time", "Trial column with train, val and test."),
    "val_share": _Setting("--val-share", float, "SHARE", "0.2", "Without --split-column: share of val."),
    "behavior": _Setting("--behavior", str, "SERIES", "none", "Time series to decode."),
    "lag_ms": _Setting("--lag-ms", int, "MS", "0", "Delay of behaviour after the spikes."),
    "cut_ms": _Setting("--cut-ms", int, "MS", "use trials", "Cut a recording without trials into such windows."),
    "gap_ms": _Setting("--gap-ms", int, "MS", "0", "With --cut-ms: time between windows."),
    "within": _Setting("--within", str, "TABLE", "whole recording", "With --cut-ms: interval table to stay within."),
    "within_rows": _Setting("--within-rows", str, "EXPRESSION", "all", "With --within: rows of the table to use."),
    "more_sessions": _Setting(
        "--more-sessions", str, "FILE,FILE", "none", "Files beside that of --data, with sessions of the same units."
    ),
}
"""The option for each setting of ``RecordingSettings``."""

_RecordingFile = Annotated[
    Path | None,
    typer.Option(
        "--recording",
        metavar="FILE.toml",
        help="Settings for reading your own recording. Options from --heldout to --more-sessions override it.",
    ),
]


def with_recording_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for reading your own recording, in place of its parameter ``settings``.

    The command receives the settings, or None if none of the options is given.
    """
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        parameters += _parameters() if parameter.name == "settings" else [parameter]

    @functools.wraps(command)
    def run(recording: Path | None = None, **given: Any) -> None:
        chosen = {name: given.pop(name) for name in _SETTINGS}
        command(settings=_settings(recording, chosen), **given)

    # Typer reads the options of a command from its signature and its annotations.
    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _parameters() -> list[inspect.Parameter]:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    options = [
        inspect.Parameter(
            name,
            kind,
            default=None,
            annotation=Annotated[
                setting.kind | None,
                typer.Option(setting.option, metavar=setting.metavar, show_default=setting.default, help=setting.help),
            ],
        )
        for name, setting in _SETTINGS.items()
    ]
    return [inspect.Parameter("recording", kind, default=None, annotation=_RecordingFile), *options]


def _settings(file: Path | None, chosen: dict[str, Any]) -> "RecordingSettings | None":
    """The settings in ``file``, with those ``chosen`` by options in their place. Raises DataError if they are wrong."""
    from nlb_search.data.own.recording_settings import checked_settings, read_values

    options = {name: value for name, value in chosen.items() if value is not None}
    if file is None and not options:
        return None
    if "heldout" in options:
        options["heldout"] = _heldout(options["heldout"])
    if "more_sessions" in options:
        options["more_sessions"] = tuple(name.strip() for name in options["more_sessions"].split(","))
    sources = [*([] if file is None else [str(file)]), *(_SETTINGS[name].option for name in options)]
    return checked_settings(({} if file is None else read_values(file)) | options, ", ".join(sources))


def _heldout(text: str) -> float | str | tuple[int, ...]:
    """The share, the ids or the column that the text names."""
    parts = text.split(",")
    if all(part.strip().isdecimal() for part in parts):
        return tuple(int(part) for part in parts)
    try:
        return float(text)
    except ValueError:
        return text
