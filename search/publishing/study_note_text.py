"""The note of a study, in Markdown: what it searches, what it has found, and how to continue."""

from optuna.trial import FrozenTrial, TrialState

from nlb_search.data.ceiling import Ceiling
from nlb_search.search.sampling.sampling_settings import SamplerName
from nlb_search.search.sampling.spaces.range_types import settings_to_show
from nlb_search.search.scoring.bootstrap import CONFIDENCE_PERCENT
from nlb_search.search.scoring.metric_names import spread_as_text
from nlb_search.search.study.specification_text import specification_rows
from nlb_search.search.study.status import BestTrial, StudyStatus
from nlb_search.search.study.study_ceiling import share_of_ceiling
from nlb_search.search.trials.trial_attributes import ORIGIN_KEY
from nlb_search.search.trials.trial_scores import score_of


def note_text(status: StudyStatus, first: FrozenTrial, ceiling: Ceiling | None = None) -> str:
    """The note of a study with this status, whose trial 0 is ``first``, with the recording's ceiling if it is known."""
    spec, states = status.spec, status.states
    rows = specification_rows(spec) | {
        "chains": "; ".join(f"`{chain}`" for chain in spec.architectures),
        "budget": f"{status.budget} trials: {states['complete']} complete, {states['pruned']} pruned, "
        f"{states['fail']} failed when this note was written",
        "best so far": "no complete trial yet" if status.best is None else _best(status.best),
        "trial 0": _first(first, status.best, _settings_of_first(first, spec.sampler)),
    }
    if spec.has_own_objectives:
        rows["Pareto front"] = _front(status)
    if ceiling is not None:
        rows["ceiling"] = _ceiling(ceiling, status.best)
    table = "\n".join(f"| {name} | {text} |" for name, text in rows.items())
    found = [] if status.best is None else [_settings(status.best)]
    return "\n\n".join([f"# {status.study}", f"| | |\n|---|---|\n{table}", *found, _commands(status.study)])


def _best(best: BestTrial) -> str:
    low, high = best.attrs.get("co_bps_low"), best.attrs.get("co_bps_high")
    known = low is not None and high is not None
    interval = f", {CONFIDENCE_PERCENT}% bootstrap interval {low:.4f} to {high:.4f}" if known else ""
    spread = f"; {text}" if (text := spread_as_text(best.attrs)) else ""
    return f"**co-bps {best.value:.4f}** on val (trial {best.number}{interval}{spread})"


def _front(status: StudyStatus) -> str:
    if not status.front:
        return "no complete trial yet"
    trials = ", ".join(str(trial.number) for trial in status.front)
    return f"trials {trials}: no trial is better in one objective without being worse in another"


def _first(first: FrozenTrial, best: BestTrial | None, settings: str) -> str:
    if first.state != TrialState.COMPLETE:
        return f"{first.state.name.lower()}{settings}"
    if best is None or best.number == first.number:
        return f"co-bps {score_of(first):.4f}{settings}: no other trial is better"
    return f"co-bps {score_of(first):.4f}{settings}: the best trial is {best.value - score_of(first):.4f} better"


def _settings_of_first(first: FrozenTrial, sampler: SamplerName) -> str:
    """The settings of trial 0 in words, as the end of a phrase."""
    if ORIGIN_KEY in first.user_attrs:
        return f" ({first.user_attrs[ORIGIN_KEY]})"
    return "" if sampler == "grid" else " with the default settings"


def _ceiling(ceiling: Ceiling, best: BestTrial | None) -> str:
    reached = "" if best is None else f"; {share_of_ceiling(best, ceiling)}"
    return f"co-bps {ceiling.co_bps_val:.4f}, scored by the true model of this synthetic recording{reached}"


def _settings(best: BestTrial) -> str:
    settings = settings_to_show(best.params, best.attrs).items()
    listed = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in settings
    )
    return f"Settings of trial {best.number}: {listed or 'the only ones in the space'}."


def _commands(study: str) -> str:
    return f"""## Commands

With the study's `--storage` and `--artifacts`, unless they are the defaults:

```
nlb-search status {study}
nlb-search resume {study}
nlb-search plot {study} --out figures
nlb-search report {study} --out report.html
nlb-search export-best {study} --out submission.h5
```"""
