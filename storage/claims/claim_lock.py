"""The lock under which trials are claimed and counted."""

from contextlib import AbstractContextManager

from nlb_search.storage.database.locks import exclusive
from nlb_search.storage.database.urls import StorageUrl


def claim_lock(url: StorageUrl, name: str) -> AbstractContextManager[None]:
    """A context in which no other process can claim a trial of the study ``name``."""
    return exclusive(url, f"claims:{name}")
