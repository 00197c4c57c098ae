"""The splits of the trials of your own recording."""

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.intervals import BoolArray, IntArray
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.sessions.session import OwnSession
from nlb_search.data.own.tables.trial_table import SPLITS
from nlb_search.data.own.wording import counted, listed


def split_rows(
    session: OwnSession, settings: RecordingSettings, usable: BoolArray
) -> tuple[dict[str, IntArray], list[str]]:
    """The rows of each split among those that are ``usable``, and the defaults that were used.

    There may be no test split. Raises DataError if there are no trials in train or in val.
    """
    split = session.trials.split
    if split is None:
        rows = np.flatnonzero(usable)
        rows = rows[np.argsort(session.trials.align_s[rows], kind="stable")]
        n_val = max(1, min(round(settings.val_share * len(rows)), len(rows) - 1))
        splits = {"train": rows[:-n_val], "val": rows[-n_val:]}
        choices = [f"the last {n_val} of {len(rows)} trials are val"]
    else:
        splits = {name: np.flatnonzero((split == name) & usable) for name in SPLITS}
        if not len(splits["test"]):
            del splits["test"]
        if not (len(splits["train"]) and len(splits["val"])):
            raise DataError(
                f"{session.path}: trial column '{settings.split}' must have trials with the values train and val; its "
                f"values are {listed(sorted(set(split))) or 'missing'}"
            )
        choices = []
    if not len(splits["train"]):
        raise DataError(
            f"{session.path} has {counted(splits['val'])} with a time in '{settings.align}', but at least 2 are needed"
        )
    return splits, choices
