"""The studies that searched one recording, whose trials can be averaged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nlb_search.data.datasets import group_name
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import SearchSpec


@dataclass(frozen=True)
class SearchedRecording:
    """A recording in one bin width, and the studies that searched it, at least one."""

    recording: Recording
    studies: tuple[OpenStudy, ...]

    @property
    def settings(self) -> RecordingSettings | None:
        """The settings for reading your own recording, None for a dataset of the benchmark."""
        return self.studies[0].spec.recording

    @property
    def data(self) -> Path:
        return self.studies[0].locations.data

    @property
    def study_names(self) -> str:
        """The names of the studies, separated by commas, which a name cannot contain."""
        return ", ".join(study.name for study in self.studies)


def by_recording(studies: Sequence[OpenStudy]) -> list[SearchedRecording]:
    """Group studies by dataset and bin width, in their order, and open the recordings.

    Raises UsageError if a study is given twice, and SearchError if two studies of one dataset and bin width searched
    different recordings, or read the same one with other settings.
    """
    groups: dict[str, list[OpenStudy]] = {}
    for study in studies:
        if study.name in [other.name for other in studies if other is not study]:
            raise UsageError(f"the study '{study.name}' is given twice: name each study once")
        groups.setdefault(group_name(study.spec.dataset, study.spec.bin_ms), []).append(study)
    for group, (first, *others) in groups.items():
        for other in others:
            if (difference := _difference(first.spec, other.spec)) is not None:
                raise SearchError(
                    f"the studies '{first.name}' and '{other.name}' are both on {group}, but on different recordings "
                    f"({difference}): export them to two files"
                )
    return [_opened(group) for group in groups.values()]


def _opened(studies: list[OpenStudy]) -> SearchedRecording:
    # The recording of every study is opened, because each study retrains its trials from its own files.
    recording, *_ = [study.recording() for study in studies]
    return SearchedRecording(recording, tuple(studies))


def _difference(one: SearchSpec, other: SearchSpec) -> str | None:
    """How the recordings of two studies differ, or None if they are the same."""
    if (one.dataset, one.bin_ms, one.content_hash) == (other.dataset, other.bin_ms, other.content_hash):
        return None
    if one.recording is not None and other.recording is not None:
        mine, yours = one.recording.model_dump(), other.recording.model_dump()
        settings = [f"{name} is {mine[name]} and {yours[name]}" for name in mine if mine[name] != yours[name]]
        if settings:
            return ", ".join(settings)
    return f"content {one.content_hash[:12]} and {other.content_hash[:12]}"
