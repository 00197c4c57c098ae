"""The identity of a study, which no other study has. Its name and its row's id are not enough.

Studies in two databases can have the same name and share a checkpoint folder, and SQLite gives the id of a deleted
study to the next one. The identity names the study's checkpoint folder, and workers compare it to notice that their
study was replaced.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any

import optuna

from nlb_search.storage.errors import DeletedStudyError, StorageError
from nlb_search.storage.study_attributes import read_attributes

IDENTITY_KEY = "identity"
"""User attribute of the study that stores its identity."""

_UNIQUE_PART = re.compile(r".+-[0-9a-f]{32}")
_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,132}")


def new_identity(name: str) -> str:
    """A new identity for a study of this name, which it contains so that people recognize the folder."""
    return f"{name}-{uuid.uuid4().hex}"


def copied_identity(name: str, *origin: str) -> str:
    """The identity of a copy of a study, which is the same if an interrupted copy is repeated.

    ``origin`` are texts that distinguish this copy from all others.
    """
    return f"{name}-{uuid.uuid5(uuid.NAMESPACE_URL, ' '.join(origin)).hex}"


def has_unique_part(text: str) -> bool:
    """Whether a text has the form of an identity, as studies have them since version 0.5.0."""
    return _UNIQUE_PART.fullmatch(text) is not None


def stored_identity(name: str, attributes: Mapping[str, Any]) -> str:
    """The identity in a study's user attributes. Studies of version 0.4.0 have none, and their name takes its place.

    Raises StorageError if it cannot be the name of a folder: a path could lead out of the checkpoint folder.
    """
    identity = str(attributes.get(IDENTITY_KEY, name))
    if not _FOLDER_NAME.fullmatch(identity):
        raise StorageError(f"the study {name!r} was not created by nlb-search: its identity is {identity!r}")
    return identity


def check_identity(study: optuna.Study, identity: str) -> None:
    """Raise DeletedStudyError unless the study in the database still has this identity. One query."""
    check_attributes(study, identity, read_attributes(study, IDENTITY_KEY))


def check_attributes(study: optuna.Study, identity: str, attributes: Mapping[str, Any]) -> None:
    """Like ``check_identity``, for user attributes of the study that were read already."""
    name = study.study_name
    if stored_identity(name, attributes) != identity:
        raise DeletedStudyError(
            f"the study '{name}' was deleted while it was running, and another study of this name was created: "
            "run the command again to use the new study"
        )
