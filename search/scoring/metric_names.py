"""A trial's scores as text, under the names of the benchmark."""

from typing import Any

METRICS = {"fp_bps": "fp-bps", "vel_r2": "vel R2", "psth_r2": "psth R2", "tp_corr": "tp corr"}
"""The names of the metrics other than co-bps, by user attribute of the trial."""

SPREAD = ("co_bps_seeds", "co_bps_std")
"""User attributes of a trial with several networks: co-bps of each, and their standard deviation."""


def metrics_as_text(attrs: dict[str, Any]) -> list[tuple[str, str]]:
    """A trial's metrics as pairs of the benchmark's name and text."""
    return [(metric, f"{attrs[name]:.4f}") for name, metric in METRICS.items() if name in attrs]


def spread_as_text(attrs: dict[str, Any]) -> str:
    """The spread of co-bps over the networks of a trial; empty for a trial with one network."""
    if SPREAD[0] not in attrs:
        return ""
    scores, std = (attrs[name] for name in SPREAD)
    return f"mean of {len(scores)} seeds: {', '.join(f'{score:.4f}' for score in scores)}; standard deviation {std:.4f}"
