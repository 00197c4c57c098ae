"""The options of `inspect` and `launch` for reading your own recording: its files, a file of settings, each setting."""

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nlb_search.data.own.recording_settings import RecordingSettings


@dataclass(frozen=True)
class _Setting:
    """An option for one setting. ``kind`` is the type of its value, ``default`` the default shown by ``--help``."""

    option: str
    kind: Any
    metavar: str
    default: str
    help: str


_SETTINGS = {
    "heldout": _Setting(
        "--heldout", str, "FRACTION|COLUMN|ID,ID", "0.25", "Held-out units: a fraction, a unit column, or ids."
    ),
    "units": _Setting("--units", str, "EXPRESSION", "all", "Units to use, as in \"quality == 'good'\"."),
    "min_rate_hz": _Setting("--min-rate", float, "HZ", "0", "Leave out units with a lower mean rate."),
    "units_table": _Setting("--units-table", str, "PATH", "the only one", "Path of the unit table in the file."),
    "sort_spikes": _Setting("--sort-spikes", bool, "", "report an error", "Sort spike times that are out of order."),
    "trial_table": _Setting(
        "--trial-table",
        str,
        "FILE.csv",
        "trials.csv",
        "For a Kilosort or phy folder: its CSV file with the trial table.",
    ),
    "align": _Setting("--align", str, "COLUMN", "start_time", "Trial column with the alignment time of each trial."),
    "window_ms": _Setting(
        "--window", tuple[int, int], "START END", "the shortest trial", "Window of each trial, in ms around --align."
    ),
    "forward_ms": _Setting("--forward-ms", int, "MS", "200 if recorded", "Length of the forward bins."),
    "split": _Setting("--split-column", str, "COLUMN", "by time", "Trial column with the values train, val and test."),
    "val_share": _Setting(
        "--val-share", float, "FRACTION", "0.2", "Without --split-column: fraction of the trials used as val."
    ),
    "behavior": _Setting("--behavior", str, "SERIES", "none", "Time series to decode."),
    "lag_ms": _Setting("--lag-ms", int, "MS", "0", "Lag of behaviour behind the spikes."),
    "condition": _Setting(
        "--condition",
        str,
        "COLUMN,COLUMN",
        "none",
        "Trial columns with the conditions of trial averages, for psth R2.",
    ),
    "interval": _Setting(
        "--interval",
        tuple[str, str],
        "START END",
        "none",
        "Trial columns with the start and end of a produced interval, for tp corr.",
    ),
    "interval_condition": _Setting(
        "--interval-condition", str, "COLUMN,COLUMN", "one", "Trial columns with the conditions of the intervals."
    ),
    "cut_ms": _Setting(
        "--cut-ms", int, "MS", "use trials", "Cut a recording without trials into windows of this length."
    ),
    "gap_ms": _Setting("--gap-ms", int, "MS", "0", "With --cut-ms: time between windows."),
    "within": _Setting(
        "--within", str, "TABLE", "whole recording", "With --cut-ms: interval table that windows must lie in."
    ),
    "within_rows": _Setting("--within-rows", str, "EXPRESSION", "all", "With --within: rows of the table to use."),
}
"""The option for each setting of ``RecordingSettings``."""

_RecordingFile = Annotated[
    Path | None,
    typer.Option(
        "--recording",
        metavar="FILE.toml",
        help="File of settings for your own recording. The options from --heldout to --within-rows override it.",
    ),
]


def with_recording_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for reading your own recording, in place of its parameter ``settings``.

    Its option ``--data`` can be repeated: the files after the first are further sessions. The command receives the
    first, and the settings, or None if none of the options is given.
    """
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        match parameter.name:
            case "settings":
                parameters += _parameters()
            case "data":
                parameters.append(_repeated(parameter))
                default, variable = parameter.default, _option_of(parameter).envvar
            case _:
                parameters.append(parameter)

    @functools.wraps(command)
    def run(recording: Path | None = None, data: list[Path] | None = None, **given: Any) -> None:
        chosen = {name: given.pop(name) for name in _SETTINGS}
        # Typer would split the variable at colons, which may be in a path.
        first, *others = data or [Path(os.environ[variable]) if os.environ.get(variable) else default]
        command(settings=_settings(recording, chosen, first, others), data=first, **given)

    # Typer reads the options of a command from its signature and its annotations.
    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _repeated(data: inspect.Parameter) -> inspect.Parameter:
    """The parameter for ``--data``, as one that can be given several times."""
    option = _option_of(data)
    default = option.show_default if data.default is None else data.default
    repeated = typer.Option(
        "--data",
        show_default=f"${option.envvar}, or {default}",
        help=f"{option.help} Repeat for more sessions with the same units.",
    )
    return data.replace(default=None, annotation=Annotated[list[Path] | None, repeated])


def _option_of(parameter: inspect.Parameter) -> Any:
    [option] = parameter.annotation.__metadata__
    return option


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


def _settings(file: Path | None, chosen: dict[str, Any], first: Path, others: list[Path]) -> "RecordingSettings | None":
    """The settings in ``file``, with those ``chosen`` by options in their place, and the sessions ``others``.

    Raises DataError if they are wrong.
    """
    from nlb_search.data.own.recording_settings import checked_settings, read_values
    from nlb_search.data.own.sessions.session_paths import beside

    options = {name: value for name, value in chosen.items() if value is not None}
    if others:
        options["more_sessions"] = beside(first, others)
    if file is None and not options:
        return None
    if "heldout" in options:
        options["heldout"] = _heldout(options["heldout"])
    for name in {"condition", "interval_condition"}.intersection(options):
        options[name] = tuple(column.strip() for column in options[name].split(","))
    names = (_SETTINGS[name].option if name in _SETTINGS else "--data" for name in options)
    sources = [*([] if file is None else [str(file)]), *names]
    return checked_settings(({} if file is None else read_values(file)) | options, ", ".join(sources))


def _heldout(text: str) -> float | str | tuple[int, ...]:
    """The fraction, the ids or the column that the text names."""
    parts = text.split(",")
    if all(part.strip().isdecimal() for part in parts):
        return tuple(int(part) for part in parts)
    try:
        return float(text)
    except ValueError:
        return text
