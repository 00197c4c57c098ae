"""Reading the settings of trials from a CSV or JSON file."""

import csv
import json
from pathlib import Path
from typing import Any

from nlb_search.search.errors import UsageError


def read_trials(path: Path) -> list[dict[str, Any]]:
    """The settings of each trial in a file: rows of a CSV file with names in its first row, or a JSON list of objects.

    Empty cells and nulls are left out. Raises UsageError if the file cannot be read as such.
    """
    readers = {".csv": _from_csv, ".json": _from_json}
    if path.suffix not in readers:
        raise UsageError(f"{path} is neither a .csv nor a .json file: give one with the settings of each trial")
    try:
        trials = readers[path.suffix](path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read the trials in {path}: {reason}") from error
    if not trials:
        raise UsageError(f"{path} has no trials: give one row or object per trial")
    return [{name: value for name, value in trial.items() if value not in (None, "")} for trial in trials]


def _from_csv(text: str) -> list[dict[str, Any]]:
    lines = list(csv.reader(text.splitlines(), skipinitialspace=True))
    header, *rows = [line for line in lines if any(line)] or [[]]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"the row {','.join(row)} has {len(row)} cells, and the header has {len(header)}")
    return [dict(zip(header, row, strict=True)) for row in rows]


def _from_json(text: str) -> list[dict[str, Any]]:
    trials = json.loads(text)
    if not isinstance(trials, list) or not all(isinstance(trial, dict) for trial in trials):
        raise ValueError('it is not a list of objects such as [{"lr": 0.01}]')
    return trials
