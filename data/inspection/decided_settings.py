"""Writing the settings with which your own recording was read to a TOML file, for editing."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlb_search.data.dataset_files import contents_of
from nlb_search.data.errors import DataError
from nlb_search.data.inspection.identities import Identities
from nlb_search.data.own.recording_file import Tables, opened_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.wording import names_in
from nlb_search.data.recording import Recording


@dataclass(frozen=True)
class _Line:
    """One setting: the value that was used, or None, and an example, which is written as a comment in that case."""

    name: str
    value: Any
    example: Any
    comment: str

    def text(self) -> str:
        written = f"{self.name} = {_toml(self.example if self.value is None else self.value)}"
        return f"{'# ' if self.value is None else ''}{written}  # {self.comment}"


def decided_settings(recording: Recording, path: Path, settings: RecordingSettings, known: Identities) -> str:
    """The text of a TOML file with which the recording is read as it was read with ``settings``.

    Defaults that depend on the file, such as the window, are written with the values that were used. Settings that are
    not used are comments. Raises DataError if the recording consists of arrays.
    """
    with opened_recording(path, settings) as opened:
        if not isinstance(opened, Tables):
            raise DataError(f"{path} has arrays, whose windows, splits and neurons no settings change")
        contents = contents_of(path, opened.file)
    # A path of time series is listed by its own name, without that of its container.
    series = names_in({found.rpartition("/")[2] for paths in contents.series_paths.values() for found in paths})
    columns = names_in(contents.trials)
    lines = [
        _Line(
            "heldout",
            list(known.heldout) if isinstance(settings.heldout, float) else settings.heldout,
            None,
            "ids of the held-out units, or a fraction of the units such as 0.25, or a boolean column of the unit table",
        ),
        _Line("units", settings.units, "quality == 'good'", f"units to use; columns: {names_in(contents.units)}"),
        _Line("min_rate_hz", settings.min_rate_hz, None, "units with a lower mean rate are left out"),
        _Line("units_table", settings.units_table, "units", "path of the unit table, if the file has several"),
        _Line("sort_spikes", settings.sort_spikes or None, True, "sort spike times that are out of order"),
        *(
            _trial_lines(recording, path, settings, columns)
            if settings.cut_ms is None
            else _window_lines(settings, settings.cut_ms)
        ),
        _Line(
            "forward_ms",
            settings.forward_ms if settings.forward_ms is not None else _forward_ms(recording),
            0,
            "length of the forward bins",
        ),
        _Line("behavior", settings.behavior, "NAME", f"time series to decode; the file has: {series}"),
        _Line("lag_ms", settings.lag_ms, None, "delay of behaviour after the spikes"),
        _Line(
            "more_sessions",
            list(settings.more_sessions) or None,
            ["NAME.nwb"],
            "more sessions with the same units",
        ),
    ]
    head = (
        f"# How {path.name} is read in bins of {recording.bin_ms} ms, written by `inspect --write-recording`.\n"
        "# Edit it, and pass it with --recording.\n"
    )
    return head + _joined(lines)


def _trial_lines(recording: Recording, path: Path, settings: RecordingSettings, columns: str) -> list[_Line]:
    decided = settings.window_ms or (0, recording.n_window_bins * recording.bin_ms)
    comment = "trial column with train, val and test; without it, the last trials are val"
    return [
        _Line("trial_table", settings.trial_table if path.is_dir() else None, "trials.csv", "of a folder of Kilosort"),
        _Line("align", settings.align, None, f"trial column with the time of the event; columns: {columns}"),
        _Line("window_ms", list(decided), None, "window of each trial, in ms from the event"),
        _Line(
            "condition",
            list(settings.condition) or None,
            "NAME",
            "trial column, or list of columns, with conditions for psth R2",
        ),
        _Line(
            "interval",
            list(settings.interval or ()) or None,
            ["BEGIN", "END"],
            "trial columns with the start and end of a produced interval, for tp corr",
        ),
        _Line(
            "interval_condition",
            list(settings.interval_condition) or None,
            "NAME",
            "trial column, or list of columns, with the conditions of the intervals",
        ),
        _Line("split", settings.split, "split", comment),
        _Line(
            "val_share",
            None if settings.split else settings.val_share,
            0.2,
            "fraction of the trials that are val, without split",
        ),
    ]


def _window_lines(settings: RecordingSettings, cut_ms: int) -> list[_Line]:
    return [
        _Line("cut_ms", cut_ms, None, "length of the windows into which the recording is cut"),
        _Line("gap_ms", settings.gap_ms, None, "time between windows"),
        _Line("within", settings.within, "epochs", "interval table that windows must lie in"),
        _Line("within_rows", settings.within_rows, "label == 'run'", "rows of this table to use"),
        _Line("val_share", settings.val_share, None, "fraction of the windows that are val; the same fraction is test"),
    ]


def _forward_ms(recording: Recording) -> int | None:
    """The length of the forward bins; None if there are none, so that the default applies again."""
    return recording.n_forward_bins * recording.bin_ms or None


def _joined(lines: Iterable[_Line]) -> str:
    return "".join(f"{line.text()}\n" for line in lines)


def _toml(value: Any) -> str:
    """A text, number or list of them in TOML, which writes these as JSON does."""
    return json.dumps(value, ensure_ascii=False)
