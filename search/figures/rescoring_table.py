"""A rescoring as a table for the terminal."""

from rich.table import Table

from nlb_search.search.rescoring.rescoring import Rescored, Rescoring
from nlb_search.search.trials.trial_scores import score_of


def finalists_table(rescoring: Rescoring) -> Table:
    """The finalists, best first; those without a score on every fold are last."""
    table = Table("trial", "co-bps on val", "rescored", "sd of folds", "chain", box=None, header_style="bold")
    for one in [*rescoring.ranked, *(one for one in rescoring.finalists if not one.is_scored)]:
        table.add_row(str(one.trial.number), f"{score_of(one.trial):.4f}", *_scores(one), one.architecture)
    return table


def choice(rescoring: Rescoring) -> str:
    """One line with the best finalist, or what to do if there is none."""
    study, ranked = rescoring.study, rescoring.ranked
    if not rescoring.is_over:
        return f"stopped before all folds were scored: continue with `nlb-search rescore {study}`"
    if not ranked:
        return "every finalist diverged: rescore more trials with a larger --finalists"
    return (
        f"best over {rescoring.splits} folds: trial {ranked[0].trial.number}; "
        f"export it with `nlb-search export-best {study} --by splits --out FILE.h5`"
    )


def _scores(one: Rescored) -> tuple[str, str]:
    if one.diverged is not None:
        return "diverged", ""
    if not one.is_scored:
        return f"{len(one.known)} of {len(one.scores)} folds", ""
    return f"{one.mean:.4f}", f"{one.spread:.4f}"
