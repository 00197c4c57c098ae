"""Where a study's recording was last read, on each machine: a hint, so that later commands find it without
``--data``. Nothing depends on it: ``--data`` and ``$NLB_SEARCH_DATA`` take precedence, and the content hash is checked
as always.
"""

import socket
from pathlib import Path

import optuna

from nlb_search.data.opening import has_recording
from nlb_search.search.errors import SearchError

PLACE_KEY = "recording-on-"
"""Prefix of the study's user attributes with places; the host name follows. Hosts do not overwrite each other's."""


def remember_place(study: optuna.Study, data: Path) -> None:
    """Store the absolute path of the recording's file or folder on this machine, unless it is stored already."""
    key, place = f"{PLACE_KEY}{socket.gethostname()}", str(data.absolute())
    if study.user_attrs.get(key) != place:
        study.set_user_attr(key, place)


def remembered_places(study: optuna.Study) -> dict[str, Path]:
    """The stored paths by host name, that of this machine first."""
    places = {
        key.removeprefix(PLACE_KEY): Path(place)
        for key, place in study.user_attrs.items()
        if key.startswith(PLACE_KEY) and isinstance(place, str)
    }
    here = socket.gethostname()
    return dict(sorted(places.items(), key=lambda item: item[0] != here))


def place_of(study: optuna.Study, dataset: str, default: Path) -> Path:
    """Where to read the study's recording if the user gives no path.

    This is ``default`` if it has such a recording, or else the first remembered place that has one. Other machines'
    places are tried too, because hosts may share a folder, and host names change. If none has one, it is the first
    place, for the error that follows.
    """
    if has_recording(dataset, default):
        return default
    places = list(remembered_places(study).values()) or [default]
    return next((place for place in places if has_recording(dataset, place)), places[0])


def check_present(study: optuna.Study, dataset: str, data: Path) -> None:
    """Raise SearchError, with the remembered place, if ``data`` has no recording. Does nothing if none is remembered.

    Opening the recording would raise an error that does not mention the study.
    """
    if has_recording(dataset, data):
        return
    for host, place in remembered_places(study).items():
        if place == data.absolute():
            found = f"the recording of the study '{study.study_name}' was {place} on {host}, and is no longer there"
        else:
            found = (
                f"{data} has no recording of {dataset}; that of the study '{study.study_name}' was {place} on {host}"
            )
        raise SearchError(f"{found}: give its file or folder with --data")


def other_place_hint(study: optuna.Study, data: Path) -> str:
    """The end of an error about the recording at ``data``: its remembered path, or nothing if there is none."""
    for host, place in remembered_places(study).items():
        if place != data.absolute():
            return f" (it was {place} on {host})"
    return ""
