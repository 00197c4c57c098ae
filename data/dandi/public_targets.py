"""The benchmark's public test targets: one file in nlb_tools' repository, with one group per dataset.

The repository stores the file in Git LFS, so the usual raw URL returns only a pointer of three lines. GitHub serves the
file from another host. ``SHA256`` is taken from the pointer.
"""

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import h5py
import requests

from nlb_search.data.dandi.connection import check_connection
from nlb_search.data.dandi.download import TIMEOUT_SECONDS, Remote, download, what_failed
from nlb_search.data.dandi.fetching import Progress, other_sha256
from nlb_search.data.dataset_files import PUBLIC_TARGETS
from nlb_search.data.datasets import DATASETS
from nlb_search.data.errors import DataError

URL = "https://media.githubusercontent.com/media/neurallatents/nlb_tools/main/data/eval_data_test.h5"
SHA256 = "f2f434d30193251b58e6a693381fdd185c8fbc0e47d38f8810e65295bc42c865"
"""SHA-256 of the file at ``URL``. A file from another URL is only checked to be complete and to have the groups."""

_log = logging.getLogger(__name__)


def fetch_targets(url: str, data: Path, groups: list[str]) -> Iterator[Progress]:
    """Fetch the file of test targets to ``<data>/eval_data_test.h5``, and yield the progress.

    The file must be a complete HDF5 file with all of ``groups``, or with the group of any dataset if ``groups`` is
    empty. If ``url`` is the benchmark's, the file must also have the known SHA-256. A valid existing file is not
    fetched again.

    Raises DataError if the existing or the fetched file is not valid, or if the download fails.
    """
    path = data / PUBLIC_TARGETS
    check = partial(_wrong, url=url, groups=groups)
    if path.exists():
        if wrong := check(path):
            raise DataError(
                f"{path} is not the file of test targets: {wrong}\nit was not overwritten: move it away to fetch it"
            )
        return
    check_connection(url)
    with requests.Session() as session:
        remote = _remote(url, session)
        for done in download(remote, path, check, session):
            yield Progress(path, done, remote.size)
    _log.info("fetched %s", path)


def _wrong(path: Path, url: str, groups: list[str]) -> str | None:
    """Describes what is wrong with a file of targets, or returns None if it is valid."""
    if url == URL and (wrong := other_sha256(path, SHA256)):
        return wrong
    try:
        # Without HDF5's lock, because ``download`` still has a lock on the file.
        with h5py.File(path, "r", locking=False) as file:
            held = set(file)
    except OSError:
        return "it is not a complete HDF5 file"
    missing = [group for group in groups if group not in held]
    if missing or held.isdisjoint(DATASETS):
        return f"it has no group {', '.join(missing) or 'of a dataset'} (but {', '.join(sorted(held)) or 'nothing'})"
    return None


def _remote(url: str, session: requests.Session) -> Remote:
    """Size and tag of the file at ``url``, from the response headers of the server."""
    try:
        headers = {"Accept-Encoding": "identity"}
        response = session.head(url, headers=headers, allow_redirects=True, timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        size = int(response.headers["Content-Length"])
    except requests.RequestException as error:
        raise DataError(f"{url} {what_failed(error)}: check the network, or --targets-url") from error
    except (KeyError, ValueError) as error:
        raise DataError(f"{url} does not report the size of the file: pass another URL with --targets-url") from error
    return Remote(url, size, tag=f"{url} {size} {response.headers.get('ETag')}")
