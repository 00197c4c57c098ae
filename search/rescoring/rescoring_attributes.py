"""The user attributes in which a study stores its rescoring."""

RESCORING_KEY = "rescoring"
"""Name of the attribute with the number of folds and the finalists of the last rescoring."""


def fold_key(splits: int, number: int, fold: int) -> str:
    """Name of the attribute with the score of trial ``number`` on one of ``splits`` folds."""
    return f"{RESCORING_KEY}-{splits}-{number}-{fold}"
