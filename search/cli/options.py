"""Options and arguments that several commands share, declared once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nlb_search.data.datasets import DATASETS
from nlb_search.search.errors import UsageError

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
        "--data",
        envvar="NLB_SEARCH_DATA",
        help="The folder of recordings: DATASET/ or DANDI's own layout in it; or the file of a recording of your own.",
    ),
]
DATA = Path("nlb-data")

DATASET_HELP = f"One of {', '.join(DATASETS)}; or a name for a recording of your own, with --data FILE."

BinSize = Annotated[
    int | None,
    typer.Option(
        "--bin-size", min=1, show_default="5", help="Bins of 5 or 20 ms; of a recording of your own, 1 to 100."
    ),
]
RecordingFile = Annotated[
    Path | None,
    typer.Option(
        "--recording",
        metavar="FILE.toml",
        help="How a recording of your own is read, where the defaults do not suit.",
    ),
]

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
LaunchWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        show_default="one a slot",
        help="Worker processes on this machine, or on each node of Slurm; 0 to make the study and no more.",
    ),
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
On = Annotated[
    Literal["here", "slurm"], typer.Option("--on", help="Where workers run: on this machine, or in jobs of Slurm.")
]
Partition = Annotated[
    str | None, typer.Option("--partition", show_default="the cluster's own", help="With --on slurm: where to wait.")
]
Nodes = Annotated[
    int | None, typer.Option("--nodes", min=1, show_default="1", help="With --on slurm: jobs, each of one node.")
]
GpusPerNode = Annotated[
    int | None, typer.Option("--gpus-per-node", min=0, show_default="0", help="With --on slurm: GPUs of each job.")
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="H:MM:SS",
        help="With --on slurm: how long a job may run before it makes room for others and comes again.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

if TYPE_CHECKING:
    from nlb_search.search.launching.slurm import Allocation
    from nlb_search.search.study.opening import Locations


def locations(storage: str, data: Path, artifacts: Path | None = None) -> "Locations":
    """Where the options say that things are."""
    from nlb_search.search.study.opening import Locations
    from nlb_search.storage.checkpoints import default_artifacts
    from nlb_search.storage.database.urls import parse_url

    url = parse_url(storage)
    return Locations(url, (artifacts or default_artifacts(url)).absolute(), data)


def chains(arch: list[str] | None) -> tuple[str, ...]:
    """The chains that ``--arch`` stands for, as the study writes them; none where it was not given."""
    from nlb_search.models.architecture.chain import chains_named

    return tuple(map(str, chains_named(arch or ())))


def allocation(
    on: str,
    partition: str | None,
    nodes: int | None,
    gpus_per_node: int | None,
    time: str | None,
    workers: int | None,
    workers_per_gpu: int,
) -> "Allocation | None":
    """What the options ask Slurm for; None for a search on this machine. Raises UsageError where they do not agree."""
    from nlb_search.search.launching.slurm import Allocation, minutes_of

    if on == "here":
        if {partition, nodes, gpus_per_node, time} != {None}:
            raise UsageError("--partition, --nodes, --gpus-per-node and --time go with --on slurm")
        return None
    if time is None:
        raise UsageError("--on slurm needs --time: how long a job may run before it makes room and comes again")
    gpus = gpus_per_node or 0
    return Allocation(
        minutes=minutes_of(time),
        partition=partition,
        nodes=nodes or 1,
        gpus_per_node=gpus,
        workers=workers or max(1, gpus * workers_per_gpu),
    )
