"""Options and arguments that several commands share, declared once."""

from pathlib import Path
from typing import Annotated

import typer

from models.chain import chains_named
from search.opening import Place
from storage.checkpoints import default_artifacts
from storage.urls import parse_url

StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="The study's name.")]

Storage = Annotated[
    str,
    typer.Option(
        "--storage",
        envvar="NLB_SEARCH_STORAGE",
        show_envvar=True,
        help="Where studies are kept: sqlite:///FILE.db, postgres-local:DIR or postgresql://USER@HOST/DATABASE.",
    ),
]
STORAGE = "sqlite:///nlb-search.db"

Data = Annotated[
    Path,
    typer.Option(
        "--data", envvar="NLB_SEARCH_DATA", help="The folder of recordings: DATASET/ or DANDI's own layout in it."
    ),
]
DATA = Path("nlb-data")

Artifacts = Annotated[
    Path | None,
    typer.Option(
        "--artifacts",
        envvar="NLB_SEARCH_ARTIFACTS",
        show_default="beside a SQLite file or in DIR, else ./nlb-search.artifacts",
        help="The folder of checkpoints, which all workers of a study must reach.",
    ),
]

Hours = Annotated[float | None, typer.Option("--hours", min=0.0, help="Stop after so long; `resume` goes on.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, show_default="one a slot", help="Worker processes on this machine."),
]
MoreWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        show_default="one a slot",
        help="Worker processes on this machine; 0 to let only those go on that wait after `pause`.",
    ),
]
Gpus = Annotated[str, typer.Option("--gpus", help="all, none, or numbers: 0,1.")]
WorkersPerGpu = Annotated[int, typer.Option("--workers-per-gpu", min=1, help="Workers that share one GPU.")]
SideBySide = Annotated[
    int | None,
    typer.Option(
        "--side-by-side",
        min=1,
        show_default="1 on a CPU, 32 on a GPU",
        help="Trials that each worker trains together, as one computation.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def place(storage: str, data: Path, artifacts: Path | None = None) -> Place:
    """Where the options say that things are."""
    url = parse_url(storage)
    return Place(url, (artifacts or default_artifacts(url)).absolute(), data)


def chains(arch: list[str] | None) -> tuple[str, ...]:
    """The chains that ``--arch`` stands for, as the study writes them; none where it was not given."""
    return tuple(map(str, chains_named(arch or ())))
