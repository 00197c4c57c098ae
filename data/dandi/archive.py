"""Listing the files of a dandiset with DANDI's Python client (PyPI ``dandi``).

The client lists versions, files and checksums. ``data/dandi/download.py`` downloads the files, because the client gives
a file its final name before it has verified the checksum.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import requests
from dandi.consts import DandiInstance
from dandi.dandiapi import AssetType, DandiAPIClient
from dandi.exceptions import NotFoundError

from nlb_search.data.dandi.connection import check_connection
from nlb_search.data.dandi.download import TIMEOUT_SECONDS, Remote, what_failed
from nlb_search.data.errors import DataError


@dataclass(frozen=True)
class Asset:
    """One file of a dandiset: its path within the dandiset, asset id, size in bytes, SHA-256 in hex, and URL."""

    path: str
    asset_id: str
    size: int
    sha256: str
    url: str

    @property
    def remote(self) -> Remote:
        return Remote(self.url, self.size, self.sha256)


@dataclass(frozen=True)
class Listing:
    """The NWB files of one version of a dandiset: the newest published version, or the draft if none is published."""

    dandiset: str
    version: str
    assets: tuple[Asset, ...]


class DandiArchive:
    """A server with DANDI's API at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        # Stop the client from checking online for a newer version of itself.
        os.environ.setdefault("DANDI_NO_ET", "1")
        # The client logs each failure with a traceback before raising it.
        logging.getLogger("dandi").setLevel(logging.CRITICAL)
        # Passing an instance stops the client from querying the server for other URLs.
        self._client = DandiAPIClient(dandi_instance=DandiInstance("DANDI", None, self.url))
        # By default, the client's requests have no timeout.
        self._client.session.request = partial(self._client.session.request, timeout=TIMEOUT_SECONDS)

    @property
    def session(self) -> requests.Session:
        """HTTP session for downloading the files."""
        session: requests.Session = self._client.session
        return session

    def listing(self, dandiset: str) -> Listing:
        """List the NWB files of a dandiset, by its number. If the server is down, the client retries for a minute.

        Raises DataError if the server cannot be reached, does not have DANDI's API, or has no such dandiset, and if a
        file has no checksum or an unsafe path.
        """
        check_connection(self.url)
        with self._asking(dandiset):
            remote = self._client.get_dandiset(dandiset, lazy=False)
            found = sorted(remote.get_assets(), key=lambda asset: asset.path)
            blobs = (asset for asset in found if asset.asset_type is AssetType.BLOB and asset.path.endswith(".nwb"))
            return Listing(dandiset, remote.version_id, tuple(map(_asset, blobs)))

    @contextmanager
    def _asking(self, dandiset: str) -> Iterator[None]:
        try:
            yield
        except requests.JSONDecodeError as error:
            raise self._no_archive(error) from error
        except requests.RequestException as error:
            raise DataError(
                f"{self.url} {what_failed(error)}: check the network, or pass another URL with --dandi-url"
            ) from error
        except NotFoundError as error:
            raise DataError(
                f"{self.url} has no DANDI:{dandiset}: check that it is the URL of DANDI's API (--dandi-url)"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise self._no_archive(error) from error

    def _no_archive(self, error: Exception) -> DataError:
        return DataError(f"{self.url} does not respond like DANDI's API ({type(error).__name__}): check --dandi-url")


def _asset(found: Any) -> Asset:
    path = PurePosixPath(found.path)
    if path.is_absolute() or ".." in path.parts:
        raise DataError(
            f"the path '{found.path}' in DANDI:{found.dandiset_id} leads outside the folder: check --dandi-url"
        )
    try:
        sha256 = found.get_raw_digest("dandi:sha2-256")
    except NotFoundError as error:
        raise DataError(
            f"DANDI has not computed the SHA-256 of {found.path} in DANDI:{found.dandiset_id} yet: try again in a few "
            "hours"
        ) from error
    return Asset(found.path, found.identifier, found.size, sha256, found.base_download_url)
