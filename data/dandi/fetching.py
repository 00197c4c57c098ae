"""Fetching the benchmark's recordings from DANDI into the folders in which ``data/dataset_files.py`` finds them."""

import hashlib
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from nlb_search.data.dandi.archive import Asset, DandiArchive, Listing
from nlb_search.data.dandi.download import download, part_of
from nlb_search.data.dandi.provenance import FetchedFile, Record, read_record, write_record
from nlb_search.data.dataset_files import find_files
from nlb_search.data.datasets import Dataset
from nlb_search.data.errors import DataError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """Number of bytes of a file that have been downloaded, ``done`` of ``size``."""

    file: Path
    done: int
    size: int


def fetch(dataset: Dataset, data: Path, archive: DandiArchive) -> Iterator[Progress]:
    """Fetch a dataset's NWB files into ``<data>/<DANDI id>/``, and yield the progress.

    Existing files with DANDI's SHA-256 are not fetched again, and interrupted downloads are resumed. Each complete file
    is recorded in ``fetched.json`` next to the files (``data/dandi/provenance.py``).

    Raises DataError if a file exists with another content, if files elsewhere would be used instead, if the disk does
    not have enough space, or if listing or downloading the files fails.
    """
    _check_nothing_goes_before(dataset, data)
    _log.info("listing the files of DANDI:%s (%s) at %s", dataset.dandi_id, dataset.name, archive.url)
    listing = archive.listing(dataset.dandi_id)
    folder = data / dataset.dandi_id
    known = read_record(folder)
    here = [asset for asset in listing.assets if (folder / asset.path).exists()]
    for asset in here:
        _check_same(asset, folder, listing, known)
    missing = [asset for asset in listing.assets if asset not in here]
    _check_room(missing, folder)
    record = _recorded(known, Record(archive.url, listing.dandiset, listing.version, {}), here)
    for asset in missing:
        path = folder / asset.path
        for done in download(asset.remote, path, partial(other_sha256, expected=asset.sha256), archive.session):
            yield Progress(path, done, asset.size)
        _log.info("fetched %s", path)
        record = _recorded(known, record, [asset])
        write_record(folder, record)
    if not missing and record != known:
        write_record(folder, record)
    find_files(dataset, data)


def other_sha256(path: Path, expected: str) -> str | None:
    """Describes how a file's SHA-256, in hex, differs from the expected one, or returns None if it does not."""
    found = _sha256_of(path)
    return None if found == expected else f"its SHA-256 is {found[:12]}..., but should be {expected[:12]}..."


def _sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): fix this, or move the file away") from error


def _check_nothing_goes_before(dataset: Dataset, data: Path) -> None:
    """Raises DataError if other NWB files would be used for the dataset instead of the fetched ones."""
    before = data / dataset.name
    if any(before.rglob("*.nwb")):
        raise DataError(
            f"{before} has NWB files, which would be used instead of DANDI's: "
            f"move this folder away, or fetch into another folder with --data"
        )


def _check_same(asset: Asset, folder: Path, listing: Listing, known: Record | None) -> None:
    """Raises DataError unless the existing file is the same as DANDI's. Existing files are never overwritten."""
    path = folder / asset.path
    found = _sha256_of(path)
    if found == asset.sha256:
        return
    fetched = known.files.get(asset.path) if known else None
    if known and fetched and fetched.sha256 == found:
        raise DataError(
            f"{path} is from version {known.version} of DANDI:{listing.dandiset}, but the newest version is "
            f"{listing.version}: move {folder} away to fetch the newest, or continue with the files that you have"
        )
    since = f", and has changed since it was fetched on {fetched.fetched[:10]}" if fetched else ""
    raise DataError(
        f"{path} is not the file of version {listing.version} of DANDI:{listing.dandiset}{since}\n"
        f"it was not overwritten: move it away to fetch DANDI's file"
    )


def _check_room(missing: list[Asset], folder: Path) -> None:
    """Raises DataError if the disk does not have enough space for the missing bytes."""
    parts = (part_of(asset.remote, folder / asset.path) for asset in missing)
    wanted = sum(asset.size for asset in missing) - sum(part.stat().st_size for part in parts if part.exists())
    disk = next(above for above in folder.absolute().parents if above.exists())
    free = shutil.disk_usage(disk).free
    if wanted > free:
        raise DataError(
            f"the disk of {folder} has {free / 1e6:.0f} MB free, but {wanted / 1e6:.0f} MB are needed: free some "
            f"space, or fetch into another folder with --data"
        )


def _recorded(known: Record | None, record: Record, assets: list[Asset]) -> Record:
    """Add complete files to the record. A file that was recorded before keeps its time."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    files = dict(record.files)
    for asset in assets:
        before = known.files.get(asset.path) if known else None
        fetched = before.fetched if before and before.sha256 == asset.sha256 else now
        files[asset.path] = FetchedFile(asset.asset_id, asset.size, asset.sha256, fetched)
    return replace(record, files=files)
