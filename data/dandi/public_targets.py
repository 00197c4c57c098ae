"""The benchmark's public test targets: one file of nlb_tools' repository, with a group for each dataset.

The repository keeps it in Git LFS, so the address of its raw content gives a pointer of three lines; GitHub serves the
file itself at another host, and the pointer is where its size and SHA-256 are from.
"""

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import h5py
import requests

from nlb_search.data.dandi.download import TIMEOUT_SECONDS, Remote, download, what_failed
from nlb_search.data.dandi.fetching import Progress, other_sha256
from nlb_search.data.dataset_files import PUBLIC_TARGETS
from nlb_search.data.datasets import DATASETS
from nlb_search.data.errors import DataError

URL = "https://media.githubusercontent.com/media/neurallatents/nlb_tools/main/data/eval_data_test.h5"
SHA256 = "f2f434d30193251b58e6a693381fdd185c8fbc0e47d38f8810e65295bc42c865"
"""What the file at ``URL`` is known by; one at another address is only checked to be whole and to have the groups."""

_log = logging.getLogger(__name__)


def fetch_targets(url: str, data: Path, groups: list[str]) -> Iterator[Progress]:
    """Bring the file of test targets to ``<data>/eval_data_test.h5``, and yield how it comes along.

    A file that is there is kept if it is good. It is if it is a whole HDF5 file with these groups (or any dataset's,
    where none is given) and, from the benchmark's own address, has the SHA-256 that is known of it.

    Raises DataError for a file that is not, is there or comes, and whatever keeps it from coming whole.
    """
    path = data / PUBLIC_TARGETS
    check = partial(_wrong, url=url, groups=groups)
    if path.exists():
        if wrong := check(path):
            raise DataError(
                f"{path} is not the file of targets: {wrong}\nit is left as it is: move it away to fetch it"
            )
        return
    with requests.Session() as session:
        remote = _remote(url, session)
        for done in download(remote, path, check, session):
            yield Progress(path, done, remote.size)
    _log.info("fetched %s", path)


def _wrong(path: Path, url: str, groups: list[str]) -> str | None:
    """What is wrong with a file of targets; None where nothing is."""
    if url == URL and (wrong := other_sha256(path, SHA256)):
        return wrong
    try:
        # Without HDF5's own lock: the file that came is still locked by ``download``.
        with h5py.File(path, "r", locking=False) as file:
            held = set(file)
    except OSError:
        return "it is no whole HDF5 file"
    missing = [group for group in groups if group not in held]
    if missing or held.isdisjoint(DATASETS):
        return f"it has no {', '.join(missing) or 'group of any dataset'} (but {', '.join(sorted(held)) or 'nothing'})"
    return None


def _remote(url: str, session: requests.Session) -> Remote:
    """The file at an address, known by what the server says of it."""
    try:
        headers = {"Accept-Encoding": "identity"}
        response = session.head(url, headers=headers, allow_redirects=True, timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        size = int(response.headers["Content-Length"])
    except requests.RequestException as error:
        raise DataError(f"{url} {what_failed(error)}: check the network, or --targets-url") from error
    except (KeyError, ValueError) as error:
        raise DataError(f"{url} does not say how long it is: give another address with --targets-url") from error
    return Remote(url, size, tag=f"{url} {size} {response.headers.get('ETag')}")
