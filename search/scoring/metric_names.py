"""The benchmark's names of a trial's metrics."""

from typing import Any

METRICS = {"fp_bps": "fp-bps", "vel_r2": "vel R2", "psth_r2": "psth R2", "tp_corr": "tp corr"}
"""The names of the metrics other than co-bps, by user attribute of the trial."""


def metrics_as_text(attrs: dict[str, Any]) -> list[tuple[str, str]]:
    """A trial's metrics as pairs of the benchmark's name and text."""
    return [(metric, f"{attrs[name]:.4f}") for name, metric in METRICS.items() if name in attrs]
