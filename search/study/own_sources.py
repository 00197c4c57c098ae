"""Identifies the source of users' models, so that all workers and exports use the code with which the study was
created.
"""

import hashlib
from collections.abc import Iterable, Mapping
from importlib.metadata import packages_distributions, version

from nlb_search.models.architecture.architectures import Architecture, parse_architecture
from nlb_search.models.architecture.own.importing import source_file
from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.search.errors import SearchError

_SHA256 = "sha256:"


def source_versions(architectures: Iterable[Architecture]) -> dict[str, str]:
    """For each user's model the SHA-256 of its source file, and the version of its distribution, if it has one.

    Raises OwnModelError if a module is not found.
    """
    found: dict[str, str] = {}
    for model in architectures:
        if isinstance(model, OwnModel):
            distributions = packages_distributions().get(model.module.partition(".")[0], ())
            found |= {name: version(name) for name in distributions} | {str(model): _hash(model)}
    return found


def check_sources(versions: Mapping[str, str], architectures: Iterable[str]) -> None:
    """Raise SearchError if the source of a user's model is not the one in ``versions``. It is not imported.

    Raises OwnModelError if a module is not found.
    """
    for model in map(parse_architecture, architectures):
        if isinstance(model, OwnModel) and versions.get(str(model)) != (here := _hash(model)):
            raise SearchError(
                f"{source_file(model.module)} has {here}, and the study was created with {versions.get(str(model))}: "
                f"restore that version of {model}, or create another study"
            )


def _hash(model: OwnModel) -> str:
    return _SHA256 + hashlib.sha256(source_file(model.module).read_bytes()).hexdigest()
