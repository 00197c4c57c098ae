"""The ties of a study in a file, because finding them reads the checkpoints of all complete trials."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from optuna.trial import FrozenTrial

from nlb_search.search.trials.trial_scores import score_of
from nlb_search.storage.atomic_files import atomic_file


def read_ties(path: Path, trials: Sequence[FrozenTrial]) -> tuple[FrozenTrial, ...] | None:
    """Those of the complete ``trials`` that are tied with the best; None if the file is missing or of other trials."""
    try:
        stored = json.loads(path.read_text())
        if stored["trials"] != _digest(trials):
            return None
        of_number = {trial.number: trial for trial in trials}
        return tuple(of_number[number] for number in stored["ties"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_ties(path: Path, trials: Sequence[FrozenTrial], ties: Sequence[FrozenTrial]) -> None:
    """Store which of the complete ``trials`` are tied with the best; does nothing where the user may not write."""
    content = {"trials": _digest(trials), "ties": [trial.number for trial in ties]}
    with suppress(OSError), atomic_file(path) as part:
        part.write_text(json.dumps(content))


def _digest(trials: Sequence[FrozenTrial]) -> str:
    """A digest of the trials' numbers and scores."""
    scores = sorted((trial.number, score_of(trial)) for trial in trials)
    return hashlib.sha256(json.dumps(scores).encode()).hexdigest()
