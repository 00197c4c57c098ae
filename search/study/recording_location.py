"""Where a study's recording was last read, on each machine: a hint, so that later commands find it without
``--data``. Nothing depends on it: ``--data`` and ``$NLB_SEARCH_DATA`` take precedence, and the content hash is checked
as always.
"""

import socket
from pathlib import Path

import optuna

from nlb_search.data.opening import has_recording
from nlb_search.search.errors import SearchError

LOCATION_KEY = "recording-on-"
"""Prefix of the study's user attributes with locations; the host name follows. Hosts do not overwrite each other's."""


def remember_location(study: optuna.Study, data: Path) -> None:
    """Store the absolute path of the recording's file or folder on this machine, unless it is stored already."""
    key, location = f"{LOCATION_KEY}{socket.gethostname()}", str(data.absolute())
    if study.user_attrs.get(key) != location:
        study.set_user_attr(key, location)


def remembered_locations(study: optuna.Study) -> dict[str, Path]:
    """The stored paths by host name, that of this machine first."""
    locations = {
        key.removeprefix(LOCATION_KEY): Path(location)
        for key, location in study.user_attrs.items()
        if key.startswith(LOCATION_KEY) and isinstance(location, str)
    }
    here = socket.gethostname()
    return dict(sorted(locations.items(), key=lambda item: item[0] != here))


def location_of(study: optuna.Study, dataset: str, default: Path) -> Path:
    """Where to read the study's recording if the user gives no path.

    This is ``default`` if it has such a recording, or else the first remembered location that has one. Other machines'
    locations are tried too, because hosts may share a folder, and host names change. If none has one, it is the first
    location, for the error that follows.
    """
    if has_recording(dataset, default):
        return default
    locations = list(remembered_locations(study).values()) or [default]
    return next((location for location in locations if has_recording(dataset, location)), locations[0])


def check_present(study: optuna.Study, dataset: str, data: Path) -> None:
    """Raise SearchError, with the remembered location, if ``data`` has no recording. Does nothing if none is
    remembered.

    Opening the recording would raise an error that does not mention the study.
    """
    if has_recording(dataset, data):
        return
    for host, location in remembered_locations(study).items():
        if location == data.absolute():
            found = f"the recording of the study '{study.study_name}' is no longer at {location} on {host}"
        else:
            last = f"the study '{study.study_name}' last read it from {location} on {host}"
            found = f"{data} has no recording of {dataset}; {last}"
        raise SearchError(f"{found}: give its file or folder with --data")


def other_location_hint(study: optuna.Study, data: Path) -> str:
    """The end of an error about the recording at ``data``: its remembered path, or nothing if there is none."""
    for host, location in remembered_locations(study).items():
        if location != data.absolute():
            return f" (it was {location} on {host})"
    return ""
