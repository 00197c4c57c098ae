"""A trial's user attributes as optuna-dashboard shows them: in words and with units.

Numbers stay numbers, with the unit in the name, because the dashboard sorts and draws them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE
from nlb_search.search.scoring.bootstrap import CONFIDENCE_PERCENT
from nlb_search.search.scoring.metric_names import METRICS
from nlb_search.search.trials.trial_attributes import DEVICE_KEY, DIVERGED_KEY, MEMORY_KEY, ORIGIN_KEY, VERSION_KEY
from nlb_search.search.trials.trial_scores import SCORE_KEY
from nlb_search.search.trials.trial_seeds import SEED_KEY
from nlb_search.storage.claims.claim import FAILURE_KEY
from nlb_search.storage.claims.lost_workers import LOST_WORKERS_KEY
from nlb_search.storage.claims.owner import OWNER_KEY, Owner
from nlb_search.storage.claims.time_used import SECONDS_KEY


def _as_stored(value: Any) -> Any:
    return value


def _score(value: float) -> float:
    return round(value, 4)


def _scores(values: list[float]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)


def _gigabytes(megabytes: float) -> float:
    return round(megabytes / 1000, 1)


def _worker(owner: dict[str, Any]) -> str:
    return str(Owner(**owner))


def _lost_workers(lost: dict[str, Any]) -> str:
    return f"{lost['count']} at epoch {lost['step']}"


_SHOWN: dict[str, tuple[str, Callable[[Any], Any]]] = {
    ARCHITECTURE: ("chain", _as_stored),
    SCORE_KEY: ("co-bps on val", _score),
    "co_bps_low": (f"co-bps on val, {CONFIDENCE_PERCENT}% interval from", _score),
    "co_bps_high": (f"co-bps on val, {CONFIDENCE_PERCENT}% interval to", _score),
    "co_bps_seeds": ("co-bps on val of each seed", _scores),
    "co_bps_std": ("co-bps on val, standard deviation over seeds", _score),
    **{name: (metric, _score) for name, metric in METRICS.items()},
    "best_epoch": ("best epoch", _as_stored),
    "n_parameters": ("parameters", _as_stored),
    SECONDS_KEY: ("training time (s)", _as_stored),
    DEVICE_KEY: ("device", _as_stored),
    MEMORY_KEY: ("memory at the start (GB)", _gigabytes),
    OWNER_KEY: ("worker (host:process)", _worker),
    LOST_WORKERS_KEY: ("workers that died", _lost_workers),
    FAILURE_KEY: ("failure", _as_stored),
    DIVERGED_KEY: ("diverged", _as_stored),
    SEED_KEY: ("random seed", _as_stored),
    ORIGIN_KEY: ("copied from", _as_stored),
    VERSION_KEY: ("nlb-search version", _as_stored),
}
"""The attributes of nlb-search in the order of the page: the name that it shows, and what it makes of the value."""


def readable_trial_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's user attributes in words, those of the user last."""
    shown = {
        title: text(attributes[name]) for name, (title, text) in _SHOWN.items() if attributes.get(name) is not None
    }
    return shown | {name: value for name, value in attributes.items() if name not in _SHOWN}
