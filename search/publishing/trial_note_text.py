"""The note of a complete trial, in Markdown: its scores and settings."""

from optuna.trial import FrozenTrial

from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE, settings_of_parameters
from nlb_search.search.scoring.bootstrap import CONFIDENCE_PERCENT
from nlb_search.search.scoring.metric_names import metrics_as_text
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.trials.trial_scores import score_of


def trial_note_text(study: str, spec: SearchSpec, trial: FrozenTrial) -> str:
    """The note of a complete ``trial`` of the study."""
    facts = trial.user_attrs
    scores = [("co-bps on val", f"**{score_of(trial):.4f}**{_interval(trial)}"), *metrics_as_text(facts)]
    training = [
        ("chain", f"`{facts.get('architecture', spec.architecture_of(trial.params))}`"),
        ("parameters", f"{facts['n_parameters']:,}" if "n_parameters" in facts else "unknown"),
        ("best epoch", f"{facts.get('best_epoch', 'unknown')} of {spec.epochs}"),
        ("device", str(facts.get("device", "unknown"))),
    ]
    settings = [
        (f"`{name}`", f"{value:.4g}" if isinstance(value, float) else str(value))
        for name, value in settings_of_parameters(trial.params).items()
        if name != ARCHITECTURE
    ]
    parts = [f"# Trial {trial.number}", _table("score", scores), _table("training", training)]
    if settings:
        parts.append(_table("setting", settings))
    parts.append(f"```\nnlb-search export-best {study} --trial {trial.number} --out submission.h5\n```")
    return "\n\n".join(parts)


def _interval(trial: FrozenTrial) -> str:
    low, high = trial.user_attrs.get("co_bps_low"), trial.user_attrs.get("co_bps_high")
    if low is None or high is None:
        return ""
    return f" ({CONFIDENCE_PERCENT}% bootstrap interval over val trials: {low:.4f} to {high:.4f})"


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    return f"| {title} | |\n|:---|:---|\n" + "\n".join(f"| {name} | {text} |" for name, text in rows)
