"""The storage as optuna-dashboard shows it: with user attributes of studies and trials in words instead of JSON."""

import json
from collections.abc import Container, Iterator, Mapping
from typing import Any

from optuna.storages import RDBStorage
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState
from pydantic import ValidationError

from nlb_search.search.dashboard.readable_trials import readable_trial_attributes
from nlb_search.search.rescoring.rescoring_attributes import RESCORING_KEY
from nlb_search.search.study.recording_location import LOCATION_KEY
from nlb_search.search.study.removed_networks import REMOVED_KEY
from nlb_search.search.study.specification import SearchSpec, read_specification
from nlb_search.search.study.specification_text import specification_rows
from nlb_search.storage.claims.budget import BUDGET_KEY, budget_in
from nlb_search.storage.claims.time_used import HOURS_KEY, budget_hours_in
from nlb_search.storage.studies import SPEC_KEY
from nlb_search.storage.study_commands import COMMAND_KEY, StudyCommand, command_in
from nlb_search.storage.study_identity import IDENTITY_KEY

_OWN = frozenset({BUDGET_KEY, HOURS_KEY, IDENTITY_KEY, COMMAND_KEY, REMOVED_KEY, RESCORING_KEY, SPEC_KEY})
_OWN_PREFIXES = (LOCATION_KEY, f"{RESCORING_KEY}-")
"""The user attributes in which nlb-search stores a study, and beginnings of the names of others."""


class ReadableStudies(RDBStorage):
    """Optuna's storage, except that lists of studies and of their trials have user attributes for people.

    Everything else reads and writes the stored ones, also when the dashboard renames a study: Optuna's studies read
    trials without ``get_all_trials`` of this class.
    """

    def get_all_studies(self) -> list[FrozenStudy]:
        studies = super().get_all_studies()
        for study in studies:
            study.user_attrs = readable_attributes(study.user_attrs)
        return studies

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = super().get_all_trials(study_id, deepcopy, states)
        if SPEC_KEY in self.get_study_user_attrs(study_id):
            for trial in trials:
                trial.user_attrs = readable_trial_attributes(trial.user_attrs)
        return trials


def readable_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A study's user attributes in words, with the user's own attributes last. Attributes of other programs, and of
    versions that cannot be read, are not changed.
    """
    try:
        spec = read_specification(json.loads(attributes[SPEC_KEY]))
    except (KeyError, ValidationError):
        return dict(attributes)
    others = {
        name: value for name, value in attributes.items() if name not in _OWN and not name.startswith(_OWN_PREFIXES)
    }
    return dict(_rows(spec, attributes)) | others


def _rows(spec: SearchSpec, attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from specification_rows(spec).items()
    hours = budget_hours_in(attributes, spec.budget_hours)
    yield "budget", f"{budget_in(attributes, spec.trials)} trials{'' if hours is None else f', {hours:g} hours'}"
    if (command := command_in(attributes)) is not StudyCommand.WORK:
        yield "asked to", command.value
    for name, values in spec.space.items():
        yield f"range of {name}", str(values)
    yield "created with", ", ".join(f"{package} {version}" for package, version in spec.versions.items())
    for name, location in attributes.items():
        if name.startswith(LOCATION_KEY):
            yield f"recording on {name.removeprefix(LOCATION_KEY)}", str(location)
    if IDENTITY_KEY in attributes:
        yield "checkpoint folder", str(attributes[IDENTITY_KEY])
