"""Version numbers of the definitions of networks, training and sampling, which several releases can share.

A study can be continued by every version of the package with the same numbers for networks and training, whatever its
own version is.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

NETWORK_VERSION = 1
"""Raise it if a chain, its hyperparameters and its saved weights give other rates than before."""

TRAINING_VERSION = 1
"""Raise it if the same settings, seed and counts give another trained network than before."""

SAMPLING_VERSION = 3
"""Raise it if a study with the same trials is given other settings, or prunes other trials, than before. A study of
another number continues with a warning.
"""


class DefinitionVersions(BaseModel):
    """The numbers with which a study was created; 0 for versions of the package before 0.4.0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: int = 0
    training: int = 0
    sampling: int = 0


def versions_of_definitions() -> DefinitionVersions:
    """The numbers of the installed version of the package."""
    return DefinitionVersions(network=NETWORK_VERSION, training=TRAINING_VERSION, sampling=SAMPLING_VERSION)


def stored_definitions(specification: dict[str, Any]) -> dict[str, Any]:
    """The numbers in a stored specification. Version 0.4.0 did not store them."""
    if "definitions" in specification:
        return dict(specification["definitions"])
    created_with = specification.get("versions", {}).get("nlb-search")
    return {"network": 1, "training": 1, "sampling": 1} if created_with == "0.4.0" else {}
