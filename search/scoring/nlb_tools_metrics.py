"""The benchmark's metrics, computed by the benchmark's own code, nlb_tools. It is not a dependency."""

import warnings

from nlb_search.data.datasets import DATASETS
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.scoring.targets import Arrays, scorable

INSTALL = "pip install --no-deps nlb_tools==0.0.4"
"""The command that adds nlb_tools. Its pins have no builds for current versions of Python."""


def nlb_tools_metrics(dataset: str, group: str, rates: Arrays, targets: Arrays) -> dict[str, float]:
    """Every metric that the targets of a group of a dataset of the benchmark allow, by the benchmark's name.

    Raises UsageError if the dataset is not one of the benchmark, and SearchError if nlb_tools is not installed.
    """
    if dataset not in DATASETS:
        raise UsageError(f"nlb_tools scores only datasets of the benchmark, not {dataset}: remove --by nlb_tools")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from nlb_tools.evaluation import evaluate  # noqa: TID251 (optional, and importing it takes a second)
        except ModuleNotFoundError as error:
            raise SearchError(f"--by nlb_tools needs nlb_tools ({error}): {INSTALL}") from error
        [result] = evaluate({group: scorable(targets)}, {group: rates})
    [metrics] = result.values()
    # Metrics of the three scaling datasets start with the number of trials, "[100] co-bps": remove it.
    return {name.split("] ")[-1]: float(value) for name, value in metrics.items()}
