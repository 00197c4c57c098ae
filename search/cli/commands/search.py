"""Commands that run a search and control its workers: launch, resume, worker, pause and stop."""

import os
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from nlb_search.models.architecture.named_chains import AUTO, NAMED_CHAINS, NAMED_ENSEMBLES
from nlb_search.search.cli import options
from nlb_search.search.cli.commands.status import print_status
from nlb_search.search.cli.recording_options import with_recording_options
from nlb_search.search.cli.terminal import INTERRUPTED, MESSAGES, working
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.objectives import objectives_named
from nlb_search.search.sampling.sampling_settings import PrunerName, SamplerName
from nlb_search.search.worker_protocol import LAUNCHER_VARIABLE

if TYPE_CHECKING:
    from nlb_search.data.own.recording_settings import RecordingSettings
    from nlb_search.search.launching.slots import Slot
    from nlb_search.search.launching.slurm import Allocation
    from nlb_search.search.study.open_study import OpenStudy
    from nlb_search.storage.study_commands import StudyCommand


@with_recording_options
def launch(
    study: options.StudyName,
    dataset: Annotated[str | None, typer.Option(help=options.DATASET_HELP)] = None,
    arch: Annotated[
        list[str] | None,
        typer.Option(
            help=f"A chain, one of {', '.join([*NAMED_CHAINS, *NAMED_ENSEMBLES])}, {AUTO} (several good chains), or "
            "your own model as MODULE:CLASS. Repeat to search several in one study."
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Number of trials to finish. A larger number raises the budget of an existing study."),
    ] = None,
    until_flat: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="GAIN",
            help="End the search early if doubling the number of trials is expected to gain less co-bps than GAIN.",
        ),
    ] = None,
    budget_hours: options.BudgetHours = None,
    hours: options.Hours = None,
    workers: options.LaunchWorkers = None,
    gpus: options.Gpus = "all",
    workers_per_gpu: options.WorkersPerGpu = 1,
    side_by_side: options.SideBySide = None,
    on: options.On = "here",
    partition: options.Partition = None,
    nodes: options.Nodes = None,
    gpus_per_node: options.GpusPerNode = None,
    time: options.Time = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, show_default="about 1,500 steps", help="Maximum number of epochs per trial.")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="K",
            show_default="1",
            help="Number of networks per trial, each with its own seed. The score of a trial is their mean.",
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="K",
            show_default="all",
            help="Keep only the networks of the K best trials of each chain, and of trials tied with the best.",
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="paper|wide|FILE",
            show_default="wide",
            help="Search space: the published grid, a wider space, or a TOML file.",
        ),
    ] = None,
    sampler: Annotated[
        SamplerName | None, typer.Option(show_default="tpe", help="Sampler that suggests hyperparameters.")
    ] = None,
    pruner: Annotated[
        PrunerName | None,
        typer.Option(
            show_default="halving, or none with another --objective", help="Pruner that stops unpromising trials."
        ),
    ] = None,
    objective: options.Objectives = None,
    like: Annotated[
        str | None,
        typer.Option(metavar="STUDY", help="Study in the same storage whose best settings are tried first."),
    ] = None,
    copy_of: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY",
            help="Study in the same storage whose settings and valid trials are copied. Options override settings.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, show_default="0", help="Random seed.")] = None,
    bin_size: options.BinSize = None,
    settings: "RecordingSettings | None" = None,
    storage: options.Storage = options.STORAGE,
    data: options.StudyData = None,
    artifacts: options.Artifacts = None,
) -> None:
    """Create a study, or join an existing one, and run workers on this machine or in Slurm jobs."""
    from nlb_search.search.creation.study_creation import StudyRequest, create_or_open, raise_budgets
    from nlb_search.search.launching.slots import chosen_gpus, make_slots
    from nlb_search.search.launching.slurm import check_cluster
    from nlb_search.search.sampling.spaces.space_file import named_space
    from nlb_search.storage.study_commands import command_of

    request = StudyRequest(
        dataset=dataset,
        architectures=tuple(arch or ()) or None,
        trials=trials,
        budget_hours=budget_hours,
        until_flat=until_flat,
        epochs=epochs,
        seeds=seeds,
        keep=keep,
        space=None if space is None else named_space(space),
        sampler=sampler,
        pruner=pruner,
        objectives=None if objective is None else objectives_named(objective.split(",")),
        like=like,
        copy_of=copy_of,
        seed=seed,
        bin_ms=bin_size,
        recording=settings,
    )
    locations = options.locations(storage, data, artifacts)
    allocation = options.allocation(on, partition, nodes, gpus_per_node, time, workers, workers_per_gpu)
    if allocation is None:
        slots = make_slots(chosen_gpus(gpus), workers_per_gpu, workers, side_by_side)
    elif hours is not None or gpus != "all":
        raise UsageError("--hours and --gpus are for this machine: with --on slurm, pass --time and --gpus-per-node")
    else:
        check_cluster(locations)
    open_study = create_or_open(locations, study, request)
    for mean in NAMED_ENSEMBLES.keys() & {text.strip().lower() for text in arch or ()}:
        typer.echo(f"to average the chains of {mean}: `nlb-search export-best {study} --arch {mean} --out FILE.h5`")
    if command_of(open_study.study).ends:
        raise SearchError(f"the study '{study}' was stopped: continue with `nlb-search resume {study}`")
    raise_budgets(open_study, trials, budget_hours)
    if workers == 0:
        typer.echo(f"the study '{study}' exists: run `nlb-search worker {study}` on any machine to start a worker")
    elif allocation is not None:
        _submit(open_study, allocation, side_by_side)
    else:
        _search(open_study, slots, hours)


def resume(
    study: options.StudyName,
    trials: Annotated[
        int | None,
        typer.Option(min=1, show_default="unchanged", help="New number of trials to finish."),
    ] = None,
    budget_hours: options.BudgetHours = None,
    hours: options.Hours = None,
    workers: options.MoreWorkers = None,
    gpus: options.Gpus = "all",
    workers_per_gpu: options.WorkersPerGpu = 1,
    side_by_side: options.SideBySide = None,
    storage: options.Storage = options.STORAGE,
    data: options.StudyData = None,
    artifacts: options.Artifacts = None,
) -> None:
    """Continue a study that was interrupted, paused or stopped, or that needs more trials."""
    from nlb_search.search.launching.slots import chosen_gpus, make_slots
    from nlb_search.search.study.open_study import open_named_study
    from nlb_search.storage.study_commands import StudyCommand, send_command

    slots = make_slots(chosen_gpus(gpus), workers_per_gpu, workers, side_by_side)
    open_study = open_named_study(options.locations(storage, data, artifacts), study)
    if slots:
        open_study.recording()  # report problems with it before workers on other machines continue
    if trials is not None:
        open_study.change_budget(trials)
    if budget_hours is not None:
        open_study.change_budget_hours(budget_hours)
    send_command(open_study.study, StudyCommand.WORK)
    if slots:
        _search(open_study, slots, hours)
    else:
        typer.echo(f"workers of '{study}' continue")


def pause(study: options.StudyName, storage: options.Storage = options.STORAGE) -> None:
    """Pause a study: its workers on all machines release their trials and wait."""
    from nlb_search.storage.study_commands import StudyCommand

    running = _send(study, storage, StudyCommand.PAUSE)
    typer.echo(
        f"asked the workers of '{study}' to release their trials and wait ({running}): "
        f"to continue, run `nlb-search resume {study} --workers 0`; without --workers, it also starts workers here"
    )


def stop(
    study: options.StudyName,
    finish: Annotated[bool, typer.Option("--finish", help="Let workers finish their running trials first.")] = False,
    storage: options.Storage = options.STORAGE,
) -> None:
    """Stop a study: its workers on all machines release their trials and exit."""
    from nlb_search.storage.study_commands import StudyCommand

    running = _send(study, storage, StudyCommand.FINISH if finish else StudyCommand.STOP)
    action = "finish" if finish else "release"
    typer.echo(
        f"asked the workers of '{study}' to {action} their trials and exit ({running}): "
        f"to continue later, run `nlb-search resume {study}`"
    )


def _send(study: str, storage: str, command: "StudyCommand") -> str:
    """Send a command to a study's workers; returns the number of running trials as text."""
    from nlb_search.search.study.open_study import open_named_study
    from nlb_search.search.study.status import study_status
    from nlb_search.storage.study_commands import send_command

    open_study = open_named_study(options.locations(storage, options.DATA), study)
    send_command(open_study.study, command)
    n_running = sum(at.worker is not None for at in study_status(open_study).workers)
    return "1 trial is running" if n_running == 1 else f"{n_running} trials are running"


def worker(
    study: options.StudyName,
    side_by_side: options.SideBySide = None,
    storage: options.Storage = options.STORAGE,
    data: options.StudyData = None,
    artifacts: options.Artifacts = None,
) -> None:
    """Run one worker in the foreground, for Slurm, Kubernetes or compose."""
    from nlb_search.search.workers.shutdown import Stop

    # Slurm sends SIGUSR2 to every process of a job before its time limit. The event is set up before torch is imported,
    # because an exception that a signal raises during an import may be ignored.
    stop = Stop().listen(signal.SIGUSR2)
    from nlb_search.search.publishing.publisher import Publisher
    from nlb_search.search.study.open_study import open_named_study
    from nlb_search.search.workers.worker import work
    from nlb_search.storage.database.retrying import DatabaseRetry

    locations = options.locations(storage, data, artifacts)
    # Retry: a cluster may start workers before the database, and the database may be unreachable at the moment.
    open_study = DatabaseRetry(stop).call(lambda: open_named_study(locations, study))
    publisher = None if LAUNCHER_VARIABLE in os.environ else Publisher(open_study)
    work(open_study, stop, side_by_side, publisher)
    if stop.is_set():
        raise typer.Exit(INTERRUPTED)


def _search(open_study: "OpenStudy", slots: "list[Slot]", hours: float | None) -> None:
    """Run workers on an open study, then print its status."""
    from nlb_search.search.launching.launcher import run_workers
    from nlb_search.search.launching.progress import display_for
    from nlb_search.search.networks.ties import find_ties
    from nlb_search.search.workers.shutdown import Stop
    from nlb_search.storage.database.retrying import DatabaseRetry

    _open_recording(open_study)
    stop = Stop().listen(signal.SIGUSR2)  # Slurm sends this to every process of a job before its time limit
    with display_for(MESSAGES) as show:
        status = run_workers(open_study, slots, stop, hours, show)
    print_status(status, DatabaseRetry(stop).call(lambda: find_ties(open_study)))
    if not status.is_finished:
        typer.echo(f"stopped before the budget was met: continue with `nlb-search resume {open_study.name}`")
    if stop.is_set():
        raise typer.Exit(INTERRUPTED)


def _open_recording(open_study: "OpenStudy") -> None:
    """Prepare the recording once and report errors once, before workers start, and remember where it is."""
    from nlb_search.search.study.recording_location import remember_location

    with working(f"reading {open_study.spec.dataset}"):
        open_study.recording()
    remember_location(open_study.study, open_study.locations.data)


def _submit(open_study: "OpenStudy", allocation: "Allocation", side_by_side: int | None) -> None:
    """Submit Slurm jobs for an open study, and print how to follow and stop them."""
    from nlb_search.search.launching.slurm import submit

    _open_recording(open_study)
    jobs = submit(open_study, allocation, side_by_side)
    name, first = open_study.name, jobs[0].job_id.partition("_")[0]
    typer.echo(f"submitted {'job' if len(jobs) == 1 else 'jobs'} {', '.join(job.job_id for job in jobs)}")
    typer.echo(f"logs: {jobs[0].paths.folder}/{first}*.out")
    typer.echo(
        f"`nlb-search status {name}` shows the status of the study, `nlb-search stop {name}` stops it on all machines,"
    )
    typer.echo(f"`scancel {first}` cancels only these jobs; they release their trials")
