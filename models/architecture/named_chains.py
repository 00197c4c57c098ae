"""Names that stand for chains, such as ``rnnf`` and ``auto``, and the separator in ``MODULE:CLASS``.

This module has no imports, so that ``--help`` is fast.
"""

NAMED_CHAINS = {
    "rnnf": "GRU(2) -> FF -> exp",
    "neural-roberta": "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp",
}
"""Chains by name."""

NAMED_ENSEMBLES = {"neural-r-roberta": ("rnnf", "neural-roberta")}
"""Names of ensembles: the mean of the rates of several chains that are trained separately."""

AUTO = "auto"
"""Stands for ``AUTO_CHAINS``."""

AUTO_CHAINS_SINCE = {
    "0.7.0": ("GRU(2) -> FF -> exp", "LRU(2) -> FF -> exp", "GRU(2) -> FF -> RoFormer(1) -> FF -> exp"),
}
"""The chains that ``auto`` has stood for, by the first version of the package with this meaning, the newest last. A
study keeps the chains that it was created with: add a line, and change none.
"""

*_, AUTO_CHAINS = AUTO_CHAINS_SINCE.values()
"""Chains of which at least one was best or nearly best on every measured recording.

Chosen with ``benchmarks.quality.default_settings``.
"""

GROUPS = NAMED_ENSEMBLES | {AUTO: AUTO_CHAINS}
"""Names that stand for several chains."""

SEPARATOR = ":"
"""Stands between module and class of a user's model, ``MODULE:CLASS``. No chain contains it."""
