"""Published scores of datasets in bins of 5 ms, to compare a search with, and where each was published.

Each figure was read in the source that it names. The paper of the benchmark (Pei et al. 2021, arXiv:2109.04463) and
those of STNDT and MINT have scores of more datasets; their tables could not be read, so nothing is listed from them.
The leaderboard was read in a copy, because the server has closed.
"""

from dataclasses import dataclass

_MAKIN_LAB = "Makin Lab: README of https://github.com/bryanjw01/makin_lab_nlb_2022"
_AUTOLFADS = (
    "AutoLFADS: Patel, Sedler, Huang, Pandarinath and Gilja 2022, High-performance neural population dynamics modeling "
    "enabled by scalable computational infrastructure, paper/paper.md of "
    "https://github.com/TNEL-UCSD/autolfads-deploy"
)
_LEADERBOARD = (
    "leaderboard: the benchmark's server (EvalAI, challenge 1256), as copied in docs/respectable_score_plan.md of "
    "https://github.com/cabe9/NLBProject"
)


@dataclass(frozen=True)
class Published:
    """Scores of a model on one split of a dataset, in bins of 5 ms; None if the source has no such score."""

    model: str
    split: str
    co_bps: float
    vel_r2: float | None
    fp_bps: float | None
    source: str = _MAKIN_LAB


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
    Published("neural-r-roberta", "test", 0.2168, 0.6489, 0.1341),
    Published("rnnf", "test", 0.2119, 0.6133, 0.1148),
    Published("neural-roberta", "test", 0.2074, 0.6410, 0.1279),
    Published("GRU(2) -> FF -> Conv -> FF -> exp", "test", 0.1959, 0.6155, 0.1065),
)
_MC_MAZE = (
    Published("STNDT, ensemble", "test", 0.3862, None, None, _LEADERBOARD),
    Published("AESMTE3, ensemble of NDT", "test", 0.3676, None, None, _LEADERBOARD),
    Published("AutoLFADS, KubeFlow", "test", 0.3510, 0.9099, 0.2405, _AUTOLFADS),
    Published("AutoLFADS, Ray", "test", 0.3364, 0.9097, 0.2349, _AUTOLFADS),
)
_SCORES = {("mc_rtt", 5): _MC_RTT, ("mc_maze", 5): _MC_MAZE}


def published_scores(dataset: str, bin_ms: int) -> tuple[Published, ...]:
    """The published scores of a dataset of the benchmark in these bins, the highest co-bps of each split first."""
    return _SCORES.get((dataset, bin_ms), ())
