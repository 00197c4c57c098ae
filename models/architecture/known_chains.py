"""Chains with a name in the literature. This module has no imports, so that ``--help`` is fast."""

KNOWN_CHAINS = {
    "rnnf": "GRU(2) -> FF -> exp",
    "neural-roberta": "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp",
}
"""Chains by name."""

KNOWN_MEANS = {"neural-r-roberta": ("rnnf", "neural-roberta")}
"""Names of ensembles: the mean of the rates of several chains that are trained separately."""
