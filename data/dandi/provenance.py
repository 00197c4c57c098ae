"""Provenance of recordings: files fetched from DANDI are recorded next to them, in ``fetched.json``."""

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
"""File name of the record, in the folder of a dandiset."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FetchedFile:
    """One file: its asset id at DANDI, size in bytes, SHA-256 in hex, and the time (ISO 8601, UTC) it was complete."""

    asset_id: str
    size: int
    sha256: str
    fetched: str


@dataclass(frozen=True)
class Record:
    """The files fetched from one version of a dandiset, by their paths. ``archive`` is the URL of the server."""

    archive: str
    dandiset: str
    version: str
    files: dict[str, FetchedFile] = field(default_factory=dict)


def read_record(folder: Path) -> Record | None:
    """Read the record in the folder of a dandiset. Returns None if there is no record, or if it is damaged."""
    try:
        read = json.loads((folder / RECORD).read_bytes())
        files = {path: FetchedFile(**file) for path, file in read.pop("files").items()}
        return Record(**read, files=files)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        _log.warning("%s is damaged (%s): run `nlb-search fetch` to write it again", folder / RECORD, error)
        return None


def write_record(folder: Path, record: Record) -> None:
    """Write the record atomically. Raises DataError if the folder cannot be written."""
    temporary = folder / f".{RECORD}.{os.getpid()}"
    try:
        temporary.write_text(json.dumps(asdict(record), indent=1) + "\n")
        temporary.replace(folder / RECORD)
    except OSError as error:
        raise DataError(
            f"{folder / RECORD} cannot be written ({error.strerror}): fix this, then fetch again"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def origin(dataset: str, data: Path, content_hash: str) -> dict[str, str]:
    """The dandiset and version that a dataset's files below ``data`` were fetched from.

    The result has the form that a study stores: ``{"DANDI:000129": "0.241017.1444"}``. It is empty if the files were
    not fetched, or if their current ``content_hash`` is not that of the fetched files.
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
