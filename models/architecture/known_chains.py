"""The chains that have a name in the field. It imports nothing, so that ``--help`` names them at once."""

KNOWN_CHAINS = {
    "rnnf": "GRU(2) -> FF -> exp",
    "neural-roberta": "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp",
}
"""Chains that have a name of their own in the field."""

KNOWN_MEANS = {"neural-r-roberta": ("rnnf", "neural-roberta")}
"""Names in the field for the mean of the rates of several chains, each trained by itself."""
