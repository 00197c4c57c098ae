"""Published scores of datasets, to compare a search with.

Those of mc_rtt are listed, with their chains, in the design of this project (the table of published val scores, and the
test-phase scores of the benchmark's server). No other scores are given here, because only these have a source in it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """Scores of a chain on one split of a dataset, in bins of 5 ms."""

    chain: str
    split: str
    co_bps: float
    vel_r2: float
    fp_bps: float


_MC_RTT = (
    Published("GRU(2) -> FF -> exp", "val", 0.2050, 0.5813, 0.1122),
    Published("GRU(2) -> FF -> RoBERTa(1) -> FF -> exp", "val", 0.2027, 0.5311, 0.1257),
    Published("GRU(2) -> FF -> Conv -> FF -> exp", "val", 0.1987, 0.5569, 0.1225),
    Published("GRU(2) -> FF -> Deconv -> FF -> exp", "val", 0.1953, 0.5280, 0.1212),
    Published("GRU(2) -> FF -> Conv(smooth) -> FF -> exp", "val", 0.1916, 0.5311, 0.1129),
    Published("Conv -> GRU(2) -> FF -> Deconv -> FF -> exp", "val", 0.1901, 0.5383, 0.0973),
    Published("GRU(2) -> FF -> FF -> exp", "val", 0.1880, 0.5941, 0.1142),
    Published("GRU(2) -> FF -> FF -> Sigmoid", "val", 0.1844, 0.5345, 0.0860),
    Published("Conv -> GRU(1) -> FF -> Sigmoid", "val", 0.1808, 0.5375, 0.1107),
    Published("Conv -> Trans -> Deconv -> Trans -> exp", "val", 0.1753, 0.4431, 0.0655),
    Published("Conv -> Trans -> Deconv -> Trans -> Sigmoid", "val", 0.1750, 0.4634, 0.0565),
    Published("Conv -> Trans -> Deconv -> Sigmoid", "val", 0.1726, 0.3882, 0.0706),
    Published("Conv -> Trans -> Deconv -> FF -> Sigmoid", "val", 0.1704, 0.3936, 0.0653),
    Published("Conv -> Trans -> FF -> Sigmoid", "val", 0.1555, 0.3332, 0.0601),
    Published("Deconv -> Trans -> FF -> Sigmoid", "val", 0.1521, 0.3609, 0.0664),
    Published("Deconv -> GRU(1) -> FF -> Sigmoid", "val", 0.1503, 0.4233, 0.0918),
    Published("rnnf", "test", 0.2119, 0.6133, 0.1148),
    Published("neural-roberta", "test", 0.2074, 0.6410, 0.1279),
    Published("neural-r-roberta", "test", 0.2168, 0.6489, 0.1341),
)
_SCORES = {("mc_rtt", 5): _MC_RTT}


def published_scores(dataset: str, bin_ms: int) -> tuple[Published, ...]:
    """The published scores of a dataset of the benchmark in these bins, the highest co-bps on val first."""
    return _SCORES.get((dataset, bin_ms), ())
