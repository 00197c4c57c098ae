"""Options and arguments that several commands share, declared once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nlb_search.data.datasets import DATASETS
from nlb_search.search.default_locations import DATA as DATA
from nlb_search.search.default_locations import DATA_VARIABLE, STORAGE_VARIABLE
from nlb_search.search.default_locations import STORAGE as STORAGE
from nlb_search.search.errors import UsageError
from nlb_search.search.objectives import OBJECTIVES

StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="Name of the study.")]

Storage = Annotated[
    str,
    typer.Option(
        "--storage",
        envvar=STORAGE_VARIABLE,
        show_envvar=True,
        help="Storage of the studies: sqlite:///FILE.db, postgres-local:DIR or postgresql://USER@HOST/DATABASE.",
    ),
]

_DATA_HELP = "Folder of the recordings (DATASET/ or DANDI's layout inside), or your own file or phy folder."
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar=DATA_VARIABLE,
        help=_DATA_HELP,
    ),
]
StudyData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar=DATA_VARIABLE,
        show_default=f"{DATA}, or where this machine last read the study's recording",
        help=_DATA_HELP,
    ),
]

DATASET_HELP = f"One of {', '.join(DATASETS)}, or a name for your own recording in --data FILE."

BinSize = Annotated[
    int | None,
    typer.Option(
        "--bin-size", min=1, show_default="5", help="Bin width in ms: 5 or 20; for your own recording, 1 to 1000."
    ),
]
Artifacts = Annotated[
    Path | None,
    typer.Option(
        "--artifacts",
        envvar="NLB_SEARCH_ARTIFACTS",
        show_default="next to a SQLite file or in DIR, otherwise ./nlb-search.artifacts",
        help="Checkpoint folder. All workers of a study must have access to it.",
    ),
]

BudgetHours = Annotated[
    float | None,
    typer.Option(
        "--budget-hours",
        min=0.0,
        metavar="H",
        show_default="unlimited, or unchanged",
        help="Maximum number of hours that all workers together spend on trials, on all machines.",
    ),
]
Hours = Annotated[
    float | None, typer.Option("--hours", min=0.0, help="Stop after this many hours; `resume` continues.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, show_default="one per GPU or core", help="Number of worker processes on this machine."
    ),
]
LaunchWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        show_default="one per GPU or core",
        help="Number of worker processes on this machine or on each Slurm node; 0 only creates the study.",
    ),
]
MoreWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        show_default="one per GPU or core",
        help="Number of worker processes on this machine; 0 starts none, and paused workers continue.",
    ),
]
Gpus = Annotated[str, typer.Option("--gpus", help="GPUs to use: all, none, or numbers such as 0,1.")]
WorkersPerGpu = Annotated[int, typer.Option("--workers-per-gpu", min=1, help="Number of workers per GPU.")]
SideBySide = Annotated[
    int | None,
    typer.Option(
        "--side-by-side",
        min=1,
        show_default="1 on a CPU, 32 on a GPU",
        help="Number of trials that each worker trains together in one computation.",
    ),
]
On = Annotated[
    Literal["here", "slurm"], typer.Option("--on", help="Where workers run: on this machine, or in Slurm jobs.")
]
Partition = Annotated[
    str | None, typer.Option("--partition", show_default="the cluster's default", help="Slurm partition.")
]
Nodes = Annotated[
    int | None, typer.Option("--nodes", min=1, show_default="1", help="Number of Slurm jobs, each on one node.")
]
GpusPerNode = Annotated[
    int | None, typer.Option("--gpus-per-node", min=0, show_default="0", help="Number of GPUs per Slurm job.")
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="H:MM:SS",
        help="Time limit of each Slurm job, which is requeued until the study is finished.",
    ),
]
Objectives = Annotated[
    str | None,
    typer.Option(
        "--objective",
        metavar="NAME,...",
        show_default="co-bps",
        help=f"What the sampler optimizes: one or more of {', '.join(OBJECTIVES)}, separated by commas. Trials are "
        "pruned only with co-bps alone.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]

if TYPE_CHECKING:
    from nlb_search.search.launching.slurm import Allocation
    from nlb_search.search.study.open_study import Locations


def locations(storage: str, data: Path | None, artifacts: Path | None = None) -> "Locations":
    """The storage, checkpoint folder and recordings that the options name; ``data`` is None if it was not given."""
    from nlb_search.search.study.open_study import locations_of

    return locations_of(storage, data, artifacts)


def architectures(arch: list[str] | None) -> tuple[str, ...]:
    """The architectures that ``--arch`` stands for, in canonical form; empty if the option was not given."""
    from nlb_search.models.architecture.architectures import architectures_named

    return tuple(map(str, architectures_named(arch or ())))


def allocation(
    on: str,
    partition: str | None,
    nodes: int | None,
    gpus_per_node: int | None,
    time: str | None,
    workers: int | None,
    workers_per_gpu: int,
) -> "Allocation | None":
    """The Slurm resources that the options ask for, or None for this machine. Raises UsageError on conflicts."""
    from nlb_search.search.launching.slurm import Allocation, minutes_of

    if on == "here":
        if {partition, nodes, gpus_per_node, time} != {None}:
            raise UsageError("--partition, --nodes, --gpus-per-node and --time need --on slurm")
        return None
    if time is None:
        raise UsageError("--on slurm needs --time, the time limit of a job")
    gpus = gpus_per_node or 0
    return Allocation(
        minutes=minutes_of(time),
        partition=partition,
        nodes=nodes or 1,
        gpus_per_node=gpus,
        workers=workers or max(1, gpus * workers_per_gpu),
    )
