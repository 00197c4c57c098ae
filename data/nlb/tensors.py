"""Making a benchmark recording's tensors from its NWB files, with the same values as nlb_tools, in 8 bits.

nlb_tools 0.0.4 (https://github.com/neurallatents/nlb_tools) builds a table with one row per millisecond. This module
counts each neuron's spikes directly in the bins of the windows. Of the time series, it reads only the behaviour that
the dataset decodes, so gaps in other series do not matter.
"""

import logging
from contextlib import AbstractContextManager
from pathlib import Path

from nlb_search.data.dataset_files import RecordingFiles, read_contents, train_columns, window_columns
from nlb_search.data.datasets import Dataset
from nlb_search.data.errors import DataError, explained
from nlb_search.data.nlb.splits import splits_in, without_unscored
from nlb_search.data.nlb.targets import make_targets
from nlb_search.data.nlb.windows import unscored_windows, whole_windows
from nlb_search.data.nwb.binning import counts_in
from nlb_search.data.nwb.session import BoolArray, Session, read_session
from nlb_search.data.recording import Split
from nlb_search.data.source import Tensors

_log = logging.getLogger(__name__)


def make_tensors(dataset: Dataset, files: RecordingFiles, bin_ms: int) -> Tensors:
    """Make the tensors of a recording in bins of ``bin_ms``, with nlb_tools' settings and random seed 0.

    Raises DataError if the files cannot be read as a complete recording, for whatever reason.
    """
    with _explained(dataset, files.train):
        session = _read_train(dataset, files.train)
        tensors = _train_and_val(dataset, session, bin_ms)
    if files.test is None:
        return tensors
    heldin_ids = session.heldin.ids
    del session  # hold the spikes of only one file in memory
    with _explained(dataset, files.test):
        test = _test(dataset, _read_test(dataset, files.test, list(heldin_ids)), bin_ms)
    return Tensors({**tensors.splits, "test": test}, tensors.targets)


def _read_train(dataset: Dataset, path: Path) -> Session:
    contents = read_contents(path)
    contents.check_train(dataset)
    session = read_session(contents, train_columns(dataset), dataset.behavior)
    for units, kind in ((session.heldin, "held-in"), (session.heldout, "held-out")):
        if not len(units.ids):
            raise DataError(f"{path} has no {kind} units: its unit column 'heldout' must have both True and False")
    return session


def _read_test(dataset: Dataset, path: Path, heldin_ids: list[int]) -> Session:
    contents = read_contents(path)
    contents.check_test(dataset)
    session = read_session(contents, window_columns(dataset), None)
    ids = list(session.heldin.ids)
    if len(ids) != len(heldin_ids):
        raise DataError(
            f"{path} has {len(ids)} held-in units, but the training file has {len(heldin_ids)}: "
            f"both files must be of the same recording"
        )
    if ids != heldin_ids:
        _log.warning("the held-in units of %s and of the training file have different ids: matched by order", path)
    return session


def _of_split(session: Session, name: str) -> BoolArray:
    splits = session.trials["split"]
    chosen: BoolArray = splits == name
    if not chosen.any():
        found = ", ".join(sorted({str(split) for split in splits}))
        raise DataError(f"{session.path} has no trial in the split '{name}'; its splits are: {found or 'none'}")
    return chosen


def _train_and_val(dataset: Dataset, session: Session, bin_ms: int) -> Tensors:
    train, val = _of_split(session, "train"), _of_split(session, "val")
    # All trials first, so that the error names incomplete trials of both splits.
    windows = {"train_val": whole_windows(dataset, session, train | val, bin_ms)}
    windows["train"] = whole_windows(dataset, session, train, bin_ms)
    windows["val"] = whole_windows(dataset, session, val, bin_ms, gaps=True)
    splits = splits_in(dataset, session, windows, bin_ms)
    splits["val"] = without_unscored(dataset, session, val, windows["val"], splits["val"], bin_ms)
    return Tensors(splits, make_targets(dataset, session, train, val, splits["val"], bin_ms))


def _test(dataset: Dataset, session: Session, bin_ms: int) -> Split:
    bins = unscored_windows(dataset, session, _of_split(session, "test"), bin_ms)
    (counts,) = counts_in(session, (session.heldin,), [bins], bin_ms)
    return Split(counts, n_window_bins=counts.shape[1], n_heldin=counts.shape[2])


def _explained(dataset: Dataset, path: Path) -> AbstractContextManager[None]:
    remedy = "compare its tables with those of the benchmark's own file, or fetch it again"
    return explained(path, f"a recording of {dataset.name}", remedy)
