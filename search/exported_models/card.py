"""The card of a model: everything that is known about how it was selected, trained and scored."""

from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict

from nlb_search.data.inspection.identities import Identities
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from nlb_search.models.scoring.bits_per_spike import gains_by_trial
from nlb_search.models.tensors import Sizes
from nlb_search.search.ensembles.members import Member
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork, mean_rates
from nlb_search.search.export_options import Phase
from nlb_search.search.recording_tensors import counts_of, heldin_of, sizes_of
from nlb_search.search.sampling.space import trained_chain
from nlb_search.search.scoring.bootstrap import range_of, resampled_co_bps
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import versions_here


class MemberCard(BaseModel):
    """A trial in the mean of rates: its settings, its score on val in the search, and the seed of its first network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trial: int
    settings: dict[str, Any]
    weight: float
    co_bps: float
    seed: int

    @property
    def chain(self) -> str:
        """The chain that was trained."""
        return trained_chain(self.settings)


class Card(BaseModel):
    """What a model is: its recording, its members and their weights, and its score.

    ``content_hash`` and ``recording`` identify the recording and say how it is read. ``units`` says what the numbers of
    ``heldin_units`` and ``heldout_units`` are; all three are None for a dataset of the benchmark. Networks that are
    ``trained_on`` train are those of the search; on train + val, each member was trained again. Each member has
    ``seeds`` networks.
    ``co_bps`` and its 95% bootstrap interval over val trials are those of the members as the search trained them.
    ``versions`` are those that the study was created with, and the version of the dandiset if the recording was fetched
    from DANDI; ``exported_with`` are those of the export.
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


def card_of(
    study: OpenStudy,
    recording: Recording,
    identities: Identities | None,
    members: list[Member],
    phase: Phase,
    seeds: int,
) -> Card:
    """The card of the mean of these members, with its score on val."""
    val = counts_of(recording.val)
    rates_BTN = torch.from_numpy(mean_rates(searched_networks(members), heldin_of(recording.val)))
    gains = gains_by_trial(rates_BTN, val)
    interval = range_of(resampled_co_bps(gains.gain_B.numpy(), gains.spikes_B.numpy()))
    return Card(
        study=study.name,
        dataset=recording.name,
        bin_ms=recording.bin_ms,
        content_hash=recording.content_hash,
        recording=study.spec.recording,
        sizes=sizes_of(recording),
        units=None if identities is None else identities.units,
        heldin_units=None if identities is None else identities.heldin,
        heldout_units=None if identities is None else identities.heldout,
        trained_on="train" if phase == "val" else "train + val",
        seeds=seeds,
        members=tuple(_member_card(study, member) for member in members),
        co_bps=gains.bits_per_spike.item(),
        co_bps_low=interval.low,
        co_bps_high=interval.high,
        versions=study.spec.versions,
        exported_with=versions_here(),
    )


def searched_networks(members: list[Member]) -> tuple[WeightedNetwork, ...]:
    """The networks of the members as the search trained them."""
    return tuple(
        WeightedNetwork(network, one.finalist.settings, one.weight / len(one.finalist.networks))
        for one in members
        for network in one.finalist.networks
    )


def _member_card(study: OpenStudy, member: Member) -> MemberCard:
    finalist = member.finalist
    return MemberCard(
        trial=finalist.trial.number,
        settings=finalist.settings,
        weight=member.weight,
        co_bps=finalist.progress.co_bps,
        seed=study.network_seed(finalist.trial),
    )
