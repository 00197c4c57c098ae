"""The notes and figures of a study, stored in the form in which optuna-dashboard reads them.

optuna-dashboard has functions for this, but importing them also imports scikit-learn, which takes longer than many
trials.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import optuna

from nlb_search.search.study.open_study import OpenStudy
from nlb_search.storage.database.locks import exclusive

PART = 2045
"""Maximum length of a system attribute that optuna-dashboard stores. Longer texts are divided into parts."""


class DashboardTexts:
    """The notes and figures of a study as they were when this object was created."""

    def __init__(self, study: optuna.Study) -> None:
        self._storage, self._study_id = study._storage, study._study_id
        self._stored = self._storage.get_study_system_attrs(self._study_id)

    def has_note(self, trial_id: int) -> bool:
        """Whether the trial with Optuna's id ``trial_id`` has a note."""
        return f"{_owner(trial_id)}note_ver" in self._stored

    def save_note(self, text: str, trial_id: int | None = None) -> None:
        """Replace the note of the study, or of a trial, with ``text``, which is Markdown."""
        version = f"{_owner(trial_id)}note_ver"
        self._set(version, self._stored.get(version, 0) + 1)
        self._save_parts(f"{_owner(trial_id)}note_str:", text)

    def save_figure(self, name: str, figure: str) -> None:
        """Replace the figure ``name`` with ``figure``, which is Plotly's JSON."""
        self._save_parts(f"dashboard:plot_data:{name}:", figure)

    def _save_parts(self, prefix: str, text: str) -> None:
        parts = [text[start : start + PART] for start in range(0, len(text), PART)]
        # optuna-dashboard joins all parts, so those of a longer text are emptied.
        stored = sum(key.startswith(prefix) for key in self._stored)
        for number, part in enumerate(parts + [""] * (stored - len(parts))):
            if self._stored.get(f"{prefix}{number}") != part:
                self._set(f"{prefix}{number}", part)

    def _set(self, key: str, value: str | int) -> None:
        self._storage.set_study_system_attr(self._study_id, key, value)


@contextmanager
def writing_texts(study: OpenStudy) -> Iterator[DashboardTexts]:
    """The notes and figures of a study, while no other process writes them: their parts must not mix."""
    with exclusive(study.locations.url, f"note:{study.name}"):
        yield DashboardTexts(study.study)


def _owner(trial_id: int | None) -> str:
    return "dashboard:" if trial_id is None else f"dashboard:{trial_id}:"
