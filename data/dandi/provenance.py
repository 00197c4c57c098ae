"""Where a recording came from: what was fetched from DANDI is recorded beside the files, in ``fetched.json``."""

import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nlb_search.data.dataset_files import find_files
from nlb_search.data.datasets import DATASETS
from nlb_search.data.errors import DataError
from nlb_search.data.fingerprint import combined_hash

RECORD = "fetched.json"
"""The name of the record, in the folder of a dandiset."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FetchedFile:
    """One file as DANDI had it: the asset's id, its size in bytes, its SHA-256 in hex, and when it was here whole."""

    asset_id: str
    size: int
    sha256: str
    fetched: str


@dataclass(frozen=True)
class Record:
    """What was fetched of a dandiset from the archive at an address: the version, and its files by their paths."""

    archive: str
    dandiset: str
    version: str
    files: dict[str, FetchedFile] = field(default_factory=dict)


def read_record(folder: Path) -> Record | None:
    """The record in the folder of a dandiset; None where there is none that can be read."""
    try:
        read = json.loads((folder / RECORD).read_bytes())
        files = {path: FetchedFile(**file) for path, file in read.pop("files").items()}
        return Record(**read, files=files)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        _log.warning("%s is damaged (%s): `nlb-search fetch` writes it again", folder / RECORD, error)
        return None


def write_record(folder: Path, record: Record) -> None:
    """Write the record, whole or not at all. Raises DataError if the folder cannot be written."""
    beside = folder / f".{RECORD}.{os.getpid()}"
    try:
        beside.write_text(json.dumps(asdict(record), indent=1) + "\n")
        beside.replace(folder / RECORD)
    except OSError as error:
        raise DataError(f"{folder / RECORD} cannot be written ({error.strerror}): mend that and fetch again") from error
    finally:
        beside.unlink(missing_ok=True)


def origin(dataset: str, data: Path, content_hash: str) -> dict[str, str]:
    """The dandiset, and its version, that a dataset's files below ``data`` were fetched from.

    As a study keeps it: ``{"DANDI:000129": "0.241017.1444"}``. Empty for a recording that was not fetched, or
    is no more what was fetched: ``content_hash`` is what it is now.
    """
    if dataset not in DATASETS:
        return {}
    files = find_files(DATASETS[dataset], data)
    folder = next((above for above in files.train.parents if (above / RECORD).exists()), None)
    record = folder and read_record(folder)
    if not folder or not record:
        return {}
    hashes = {
        which: record.files[name].sha256
        for which, path in (("train", files.train), ("test", files.test))
        if path is not None and (name := path.relative_to(folder).as_posix()) in record.files
    }
    return {f"DANDI:{record.dandiset}": record.version} if combined_hash(hashes) == content_hash else {}
