"""What DANDI holds of a dandiset, as its own client (PyPI ``dandi``) lists it.

The client lists versions, files and checksums; the files themselves come by ``data/dandi/download.py``, for the client
gives a file its name before it has compared the checksum.
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

from nlb_search.data.dandi.download import TIMEOUT_SECONDS, Remote, what_failed
from nlb_search.data.errors import DataError


@dataclass(frozen=True)
class Asset:
    """One file of a dandiset: its path in it, and its id, size in bytes and SHA-256 (in hex) there."""

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
    """The NWB files of a dandiset in one version: the newest that is published, or else the draft."""

    dandiset: str
    version: str
    assets: tuple[Asset, ...]


class DandiArchive:
    """A server that speaks DANDI's API, at its address ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        # The client would ask a server elsewhere whether there is a newer one of it.
        os.environ.setdefault("DANDI_NO_ET", "1")
        # It logs each failure with a traceback, and then raises it.
        logging.getLogger("dandi").setLevel(logging.CRITICAL)
        # Given as an instance: otherwise the client looks for other addresses behind this one.
        self._client = DandiAPIClient(dandi_instance=DandiInstance("DANDI", None, self.url))
        # The client's own requests would wait for ever for a server that says nothing.
        self._client.session.request = partial(self._client.session.request, timeout=TIMEOUT_SECONDS)

    @property
    def session(self) -> requests.Session:
        """What the files can be asked for with."""
        session: requests.Session = self._client.session
        return session

    def listing(self, dandiset: str) -> Listing:
        """The NWB files of a dandiset, by its number. The client waits about a minute for a server that is away.

        Raises DataError when the server cannot be reached, does not speak DANDI's API, or has no such dandiset, and
        when a file cannot be checked or would lie outside its folder.
        """
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
                f"{self.url} {what_failed(error)}: check the network, or give another address with --dandi-url"
            ) from error
        except NotFoundError as error:
            raise DataError(f"{self.url} has no DANDI:{dandiset}: is it the address of DANDI's API?") from error
        except (ValueError, KeyError, TypeError) as error:
            raise self._no_archive(error) from error

    def _no_archive(self, error: Exception) -> DataError:
        return DataError(f"{self.url} does not answer as DANDI's API does ({type(error).__name__}): check --dandi-url")


def _asset(found: Any) -> Asset:
    path = PurePosixPath(found.path)
    if path.is_absolute() or ".." in path.parts:
        raise DataError(f"'{found.path}' of DANDI:{found.dandiset_id} lies outside the folder: that is no DANDI")
    try:
        sha256 = found.get_raw_digest("dandi:sha2-256")
    except NotFoundError as error:
        raise DataError(
            f"DANDI has no SHA-256 of {found.path} of DANDI:{found.dandiset_id} yet: try again in some hours"
        ) from error
    return Asset(found.path, found.identifier, found.size, sha256, found.base_download_url)
