"""The ids of units and the rows of trials of a recording: written next to the rates, and compared when they are scored.

Counts alone do not show that neurons or trials are in another order.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nlb_search.data.inspection.identities import Identities
from nlb_search.search.errors import SearchError
from nlb_search.search.export_options import Phase
from nlb_search.search.scoring.targets import Arrays
from nlb_search.search.submission.submission_file import Integers


def ids_of(known: Identities, phase: Phase) -> Mapping[str, Integers]:
    """The units and, if there is a trial table, the rows of the trials, as the rates have them."""
    ids = {"heldin_units": known.heldin, "heldout_units": known.heldout}
    if known.train_val:
        trained = known.trials["train"] if phase == "val" else known.train_val
        ids |= {"train_trials": trained, "eval_trials": known.trials[phase]}
    return {name: np.array(numbers, dtype=np.int64) for name, numbers in ids.items()}


def check_ids(file: Path, rates: Arrays, ids: Mapping[str, Integers]) -> None:
    """Raise SearchError if a submission has other units or trials than the recording, or in another order."""
    for name, known in ids.items():
        written = rates.get(name)
        if written is not None and not np.array_equal(written, known):
            here = "another number of them" if len(written) != len(known) else _first_difference(written, known)
            raise SearchError(
                f"'{name}' in {file} differs from that of the recording, which has {here}: reorder the rates like the "
                "recording, or export them again"
            )


def _first_difference(written: Integers, known: Integers) -> str:
    position = int(np.flatnonzero(written != known)[0])
    return f"{known[position]} at position {position}, not {written[position]}"
