"""A rescoring as the person at the terminal reads it."""

from rich.table import Table

from nlb_search.search.rescoring.rescoring import Rescored, Rescoring


def finalists_table(rescoring: Rescoring) -> Table:
    """The finalists, the best first; those without a score on every fold last."""
    table = Table("trial", "co-bps on val", "rescored", "sd of folds", "chain", box=None, header_style="bold")
    for one in [*rescoring.ranked, *(one for one in rescoring.finalists if not one.is_whole)]:
        table.add_row(str(one.trial.number), f"{one.trial.value:.4f}", *_scores(one), one.architecture)
    return table


def choice(rescoring: Rescoring) -> str:
    """Which finalist it would choose, or what to do about there being none."""
    study, ranked = rescoring.study, rescoring.ranked
    if not rescoring.is_over:
        return f"stopped before all folds were scored: continue with `nlb-search rescore {study}`"
    if not ranked:
        return "every finalist diverged: rescore more with --finalists"
    return (
        f"best over {rescoring.splits} folds: trial {ranked[0].trial.number}; "
        f"`nlb-search export-best {study} --by splits --out FILE.h5` takes it"
    )


def _scores(one: Rescored) -> tuple[str, str]:
    if one.diverged is not None:
        return "diverged", ""
    if not one.is_whole:
        return f"{len(one.known)} of {len(one.scores)} folds", ""
    return f"{one.mean:.4f}", f"{one.spread:.4f}"
