"""The Pareto front of a study as rows, and as a table for the terminal."""

from rich.table import Table

from nlb_search.search.study.pareto_front import FrontTrial
from nlb_search.search.study.status import StudyStatus


def front_rows(status: StudyStatus) -> list[tuple[str, ...]]:
    """The names of the columns, and a row for each trial: its number, values, chain and number of parameters."""
    scores = [objective for objective in status.spec.objectives if objective != "n-parameters"]
    return [
        ("trial", *scores, "chain", "n-parameters"),
        *(
            (str(trial.number), *(f"{trial.values[name]:.4f}" for name in scores), *_network(trial))
            for trial in status.front
        ),
    ]


def pareto_table(status: StudyStatus, most: int | None = None) -> Table:
    """The front as a table of at most ``most`` trials, those that are best in the first objective."""
    names, *rows = front_rows(status)
    shown = rows[:most]
    title = "Pareto front" if len(shown) == len(rows) else f"Pareto front, {len(shown)} of {len(rows)} trials"
    table = Table(box=None, header_style="bold", title=title, title_justify="left", title_style="bold")
    for name in names:
        table.add_column(name, no_wrap=name != "chain")
    for row in shown:
        table.add_row(*row)
    return table


def _network(trial: FrontTrial) -> tuple[str, str]:
    return trial.architecture, "unknown" if trial.n_parameters is None else f"{trial.n_parameters:,}"
