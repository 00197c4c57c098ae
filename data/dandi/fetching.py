"""Fetching the benchmark's recordings from DANDI into the layout in which ``data/dataset_files.py`` finds them."""

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
    """How many of a file's bytes are here."""

    file: Path
    done: int
    size: int


def fetch(dataset: Dataset, data: Path, archive: DandiArchive) -> Iterator[Progress]:
    """Bring a dataset's NWB files into ``<data>/<its number at DANDI>/``, and yield how it comes along.

    Files that are there are kept if their SHA-256 is that of DANDI, and a file that was cut off continues. What was
    fetched is recorded beside the files (``data/dandi/provenance.py``) as soon as each is whole.

    Raises DataError for a file that is there with another content, files elsewhere that would be taken instead, too
    little room, and whatever keeps the archive or a file from coming whole.
    """
    _check_nothing_goes_before(dataset, data)
    _log.info("asking %s for DANDI:%s, %s", archive.url, dataset.dandi_id, dataset.name)
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
    """Says how a file's SHA-256 differs from the expected one, in hex; None where it does not."""
    found = _sha256_of(path)
    return None if found == expected else f"its SHA-256 is {found[:12]}..., and should be {expected[:12]}..."


def _sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): mend that, or move it away") from error


def _check_nothing_goes_before(dataset: Dataset, data: Path) -> None:
    """Raises DataError where other files would be taken for the dataset, whatever is fetched."""
    before = data / dataset.name
    if any(before.rglob("*.nwb")):
        raise DataError(
            f"{before} has NWB files, which would be taken instead of DANDI's: "
            f"move that folder away, or fetch into another with --data"
        )


def _check_same(asset: Asset, folder: Path, listing: Listing, known: Record | None) -> None:
    """Raises DataError unless the file that is there is that of DANDI: nobody's file is overwritten."""
    path = folder / asset.path
    found = _sha256_of(path)
    if found == asset.sha256:
        return
    fetched = known.files.get(asset.path) if known else None
    if known and fetched and fetched.sha256 == found:
        raise DataError(
            f"{path} is of version {known.version} of DANDI:{listing.dandiset}, and another in version "
            f"{listing.version}, the newest: move {folder} away to fetch that one, or leave it to keep this one"
        )
    since = f", and has changed since it was fetched on {fetched.fetched[:10]}" if fetched else ""
    raise DataError(
        f"{path} is not the file of version {listing.version} of DANDI:{listing.dandiset}{since}\n"
        f"it is left as it is: move it away to fetch that of DANDI"
    )


def _check_room(missing: list[Asset], folder: Path) -> None:
    """Raises DataError where the disk has not room for what is still to come."""
    parts = (part_of(asset.remote, folder / asset.path) for asset in missing)
    wanted = sum(asset.size for asset in missing) - sum(part.stat().st_size for part in parts if part.exists())
    disk = next(above for above in folder.absolute().parents if above.exists())
    free = shutil.disk_usage(disk).free
    if wanted > free:
        raise DataError(
            f"the disk of {folder} has {free / 1e6:.0f} MB free, and {wanted / 1e6:.0f} MB are to come: make room, "
            f"or fetch into another folder with --data"
        )


def _recorded(known: Record | None, record: Record, assets: list[Asset]) -> Record:
    """The record with these files, each of which is whole; one that was known before keeps its time."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    files = dict(record.files)
    for asset in assets:
        before = known.files.get(asset.path) if known else None
        fetched = before.fetched if before and before.sha256 == asset.sha256 else now
        files[asset.path] = FetchedFile(asset.asset_id, asset.size, asset.sha256, fetched)
    return replace(record, files=files)
