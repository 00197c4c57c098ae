"""The card of a model: how it was selected, trained and scored."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from nlb_search.data.inspection.identities import Identities
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.models.tensors import Sizes
from nlb_search.search.ensembles.members import Ensemble, Member
from nlb_search.search.ensembles.searched_recording import SearchedRecording
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork
from nlb_search.search.export_options import Phase
from nlb_search.search.recording_tensors import sizes_of
from nlb_search.search.sampling.spaces.trial_parameters import trained_chain
from nlb_search.search.scoring.bootstrap import percentile_interval, resampled_co_bps
from nlb_search.search.study.specification import installed_versions


class MemberCard(BaseModel):
    """A trial in the mean of rates: its settings, its score on val in the search, and the seed of its first network.

    ``added`` is what the trial adds to the co-bps of the mean on val, and ``rescored`` its mean co-bps over the folds
    of ``rescore``. ``study`` and ``added`` are None in files of version 0.5.0, which come from one study.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str | None = None
    trial: int
    settings: dict[str, Any]
    weight: float
    co_bps: float
    added: float | None = None
    rescored: float | None = None
    seed: int

    @property
    def chain(self) -> str:
        """The chain that was trained."""
        return trained_chain(self.settings)


class Card(BaseModel):
    """What a model is: its recording, its members and their weights, and its score.

    ``content_hash`` and ``recording`` identify the recording and say how it is read. ``units`` says what the numbers of
    ``heldin_units`` and ``heldout_units`` are; before version 0.9.0, all three were None for datasets of the benchmark.
    Networks that are ``trained_on`` train are those of the search; on train + val, each member was retrained. Each
    member has ``seeds`` networks; if the search trained more in some studies than in others, this is the largest
    number.
    ``co_bps`` and its 95% bootstrap interval over val trials are those of the members as the search trained them.
    ``study`` is the name of the study, and ``versions`` are those that it was created with, and the version of the
    dandiset if the recording was fetched from DANDI; of several studies, both are separated by commas where they
    differ. ``exported_with`` are the versions of the export.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    dataset: str
    bin_ms: int
    content_hash: str
    recording: RecordingSettings | None
    sizes: Sizes
    units: str | None
    heldin_units: tuple[int, ...] | None
    heldout_units: tuple[int, ...] | None
    trained_on: Literal["train", "train + val"]
    seeds: int
    members: tuple[MemberCard, ...]
    co_bps: float
    co_bps_low: float
    co_bps_high: float
    versions: dict[str, str]
    exported_with: dict[str, str]


def card_of(searched: SearchedRecording, identities: Identities, ensemble: Ensemble, phase: Phase, seeds: int) -> Card:
    """The card of the mean of an ensemble's rates, with its score on val."""
    recording, gains = searched.recording, ensemble.gains
    interval = percentile_interval(resampled_co_bps(gains.gain_B.numpy(), gains.spikes_B.numpy()))
    return Card(
        study=searched.study_names,
        dataset=recording.name,
        bin_ms=recording.bin_ms,
        content_hash=recording.content_hash,
        recording=searched.settings,
        sizes=sizes_of(recording),
        units=identities.units,
        heldin_units=identities.heldin,
        heldout_units=identities.heldout,
        trained_on="train" if phase == "val" else "train + val",
        seeds=seeds,
        members=tuple(_member_card(member) for member in ensemble.members),
        co_bps=ensemble.co_bps,
        co_bps_low=interval.low,
        co_bps_high=interval.high,
        versions=_joined([study.spec.versions for study in searched.studies]),
        exported_with=installed_versions(),
    )


def searched_networks(ensemble: Ensemble) -> tuple[WeightedNetwork, ...]:
    """The networks of the members as the search trained them."""
    return tuple(
        WeightedNetwork(network, one.loaded.settings, one.weight / len(one.loaded.networks))
        for one in ensemble.members
        for network in one.loaded.networks
    )


def _joined(versions: list[dict[str, str]]) -> dict[str, str]:
    """The versions of several studies, separated by commas where they differ."""
    names = dict.fromkeys(name for of_one in versions for name in of_one)
    return {name: ", ".join(dict.fromkeys(one[name] for one in versions if name in one)) for name in names}


def _member_card(member: Member) -> MemberCard:
    loaded = member.loaded
    return MemberCard(
        study=loaded.study.name,
        trial=loaded.trial.number,
        settings=loaded.settings,
        weight=member.weight,
        co_bps=loaded.evaluation.co_bps,
        added=member.added,
        rescored=member.rescored,
        seed=loaded.study.network_seed(loaded.trial),
    )
