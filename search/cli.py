"""The command line: reads options, calls the part that does the work, and speaks to the person."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from data.datasets import DATASETS
from models.chain import KNOWN_CHAINS, KNOWN_MEANS, chains_named
from search import options
from search.beginning import Request, begin
from search.errors import SearchError
from search.launcher import run_workers
from search.opening import OpenStudy, existing_database, open_named_study
from search.progress import headline, show_for
from search.report import report
from search.selection import Judge, Selection
from search.slots import Slot, chosen_gpus, make_slots
from search.space_file import named_space
from search.spec import PrunerName, SamplerName
from search.standing import Standing, standing_of
from search.stopping import Stop
from search.submission import Phase
from search.terminal import INTERRUPTED, MESSAGES, OUTPUT, exit_code_of, print_json, set_up_words
from search.ties import Ties, find_ties
from storage.errors import StorageError
from storage.studies import study_names

app = typer.Typer(
    help="Hyperparameter search for models of neural population activity, scored as the Neural Latents Benchmark does.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def common(debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False) -> None:
    """What every command begins with: where its words go."""
    set_up_words(debug)


@app.command()
def launch(
    study: options.StudyName,
    dataset: Annotated[str | None, typer.Option(help=f"One of {', '.join(DATASETS)}.")] = None,
    arch: Annotated[
        list[str] | None,
        typer.Option(
            help=f"A chain, or one of {', '.join([*KNOWN_CHAINS, *KNOWN_MEANS])}; again for more in one study."
        ),
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials that shall finish, in all.")] = None,
    hours: options.Hours = None,
    workers: options.Workers = None,
    gpus: options.Gpus = "all",
    workers_per_gpu: options.WorkersPerGpu = 1,
    side_by_side: options.SideBySide = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, show_default="for about 125 steps", help="The most that a trial trains.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(metavar="paper|wide|FILE", show_default="wide", help="The published grid, wider, or a TOML file."),
    ] = None,
    sampler: Annotated[SamplerName | None, typer.Option(show_default="tpe", help="How settings are chosen.")] = None,
    pruner: Annotated[
        PrunerName | None, typer.Option(show_default="median", help="How trials are ended early.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, show_default="0", help="Fixes every draw.")] = None,
    bin_size: Annotated[int | None, typer.Option(show_default="5", help="Bins of 5 or 20 ms.")] = None,
    storage: options.Storage = options.STORAGE,
    data: options.Data = options.DATA,
    artifacts: options.Artifacts = None,
) -> None:
    """Make a study, or join the one of that name, and search it with workers on this machine."""
    request = Request(
        dataset=dataset,
        architectures=_chains(arch) or None,
        trials=trials,
        epochs=epochs,
        space=None if space is None else named_space(space),
        sampler=sampler,
        pruner=pruner,
        seed=seed,
        bin_ms=bin_size,
    )
    slots = make_slots(chosen_gpus(gpus), workers_per_gpu, workers, side_by_side)
    open_study = begin(options.place(storage, data, artifacts), study, request)
    for mean in KNOWN_MEANS.keys() & {text.strip().lower() for text in arch or ()}:
        typer.echo(f"{mean}, the mean of its chains: `nlb-search export-best {study} --arch {mean} --out FILE.h5`")
    _search(open_study, slots, hours)


@app.command()
def resume(
    study: options.StudyName,
    hours: options.Hours = None,
    workers: options.Workers = None,
    gpus: options.Gpus = "all",
    workers_per_gpu: options.WorkersPerGpu = 1,
    side_by_side: options.SideBySide = None,
    storage: options.Storage = options.STORAGE,
    data: options.Data = options.DATA,
    artifacts: options.Artifacts = None,
) -> None:
    """Go on with a study where it stopped."""
    slots = make_slots(chosen_gpus(gpus), workers_per_gpu, workers, side_by_side)
    _search(open_named_study(options.place(storage, data, artifacts), study), slots, hours)


@app.command()
def worker(
    study: options.StudyName,
    side_by_side: options.SideBySide = None,
    storage: options.Storage = options.STORAGE,
    data: options.Data = options.DATA,
    artifacts: options.Artifacts = None,
) -> None:
    """Run one worker in the foreground, for Slurm, Kubernetes or compose."""
    from search.worker import work

    stop = Stop().listen()
    work(open_named_study(options.place(storage, data, artifacts), study), stop, side_by_side)
    if stop.is_set():
        raise typer.Exit(INTERRUPTED)


@app.command()
def status(
    study: options.StudyName,
    as_json: options.Json = False,
    storage: options.Storage = options.STORAGE,
    artifacts: options.Artifacts = None,
) -> None:
    """Say where a study stands, and which trials cannot be told apart from its best."""
    open_study = open_named_study(options.place(storage, options.DATA, artifacts), study)
    standing, ties = standing_of(open_study), find_ties(open_study)
    if as_json:
        print_json(standing.as_json() | {"ties": ties.numbers})
    else:
        _print_standing(standing, ties)


@app.command()
def studies(storage: options.Storage = options.STORAGE) -> None:
    """List the studies of a storage."""
    place = options.place(storage, options.DATA)
    for name in study_names(existing_database(place.url)):
        try:
            typer.echo(headline(standing_of(open_named_study(place, name))))
        except (StorageError, SearchError) as error:
            typer.echo(f"{name}: {error}")


@app.command()
def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    host: Annotated[str, typer.Option(help="The page has no login: keep it on this machine.")] = "127.0.0.1",
    storage: options.Storage = options.STORAGE,
) -> None:
    """Open optuna-dashboard on a storage."""
    from search.dashboard import serve_dashboard

    place = options.place(storage, options.DATA)
    existing_database(place.url)
    serve_dashboard(place.url, host, port)


@app.command()
def rescore(
    study: options.StudyName,
    finalists: Annotated[int, typer.Option(min=1, help="Score so many of the trials that val liked best.")] = 5,
    splits: Annotated[int, typer.Option(min=2, help="Cut train + val into so many folds.")] = 4,
    arch: Annotated[
        list[str] | None, typer.Option(help="As many finalists of each of these chains, by themselves.")
    ] = None,
    workers: options.Workers = None,
    gpus: options.Gpus = "all",
    workers_per_gpu: options.WorkersPerGpu = 1,
    as_json: options.Json = False,
    storage: options.Storage = options.STORAGE,
    data: options.Data = options.DATA,
) -> None:
    """Score a study's best trials anew by cross-validation, for val flatters whom it chose."""
    from search.rescoring import choose_finalists
    from search.rescoring import rescore as score_anew
    from search.rescoring_table import choice, finalists_table

    open_study = open_named_study(options.place(storage, data), study)
    chosen = choose_finalists(open_study, finalists, _chains(arch))
    slots = make_slots(chosen_gpus(gpus), workers_per_gpu, workers)
    stop = Stop().listen()
    rescoring = score_anew(open_study, chosen, splits, slots, stop)
    if as_json:
        print_json(rescoring.as_json())
    else:
        OUTPUT.print(finalists_table(rescoring))
        typer.echo(choice(rescoring))
    if stop.is_set():
        raise typer.Exit(INTERRUPTED)


@app.command()
def export_best(
    study: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Studies, each of its own dataset.")],
    out: Annotated[Path, typer.Option(help="The submission file to write.")],
    phase: Annotated[Phase, typer.Option(help="Predict val, or train on train + val and predict test.")] = "val",
    ensemble: Annotated[int, typer.Option(min=1, help="Average the rates of so many best trials.")] = 1,
    arch: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Of this chain's trials; again, or {' or '.join(KNOWN_MEANS)}, for the mean over several chains."
        ),
    ] = None,
    by: Annotated[Judge, typer.Option(help="What says which is best: val in the search, or `rescore`.")] = "val",
    storage: options.Storage = options.STORAGE,
    data: options.Data = options.DATA,
    artifacts: options.Artifacts = None,
) -> None:
    """Write the best trial's rates as a submission file."""
    from search.export import export_best as export

    place = options.place(storage, data, artifacts)
    selection = Selection(ensemble, _chains(arch), by)
    export([open_named_study(place, name) for name in study], out, phase, selection)
    typer.echo(f"wrote {out}, phase {phase}: every array checked")


@app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(metavar="FILE.h5", help="A submission.")],
    dataset: Annotated[str, typer.Option(help="The dataset of it to score.")],
    targets: Annotated[Path | None, typer.Option(help="A file of test targets, like eval_data_test.h5.")] = None,
    as_json: options.Json = False,
    data: options.Data = options.DATA,
) -> None:
    """Score a submission with every metric of the benchmark, by nlb_tools."""
    from search.evaluation import evaluate_submission

    scores = evaluate_submission(file, dataset, data, targets)
    if as_json:
        print_json(scores)
        return
    for name, metrics in scores.items():
        for metric, value in metrics.items():
            typer.echo(f"{name}  {metric:8} {value:8.4f}")


@app.command()
def plot(
    study: options.StudyName,
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
    storage: options.Storage = options.STORAGE,
    artifacts: options.Artifacts = None,
) -> None:
    """Write figures of a study as HTML pages."""
    from search.figures import write_figures

    for path in write_figures(open_named_study(options.place(storage, options.DATA, artifacts), study), out):
        typer.echo(f"wrote {path}")


@app.command()
def synthesize(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=f"One of {', '.join(DATASETS)}.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another recording.")] = 0,
    trials: Annotated[int | None, typer.Option(show_default="as the real one", help="Trials of all splits.")] = None,
    neurons: Annotated[int | None, typer.Option(show_default="as the real one", help="Held-in and held-out.")] = None,
    binary: Annotated[
        bool, typer.Option("--binary", help="At most one spike per 5 ms bin, as chains that end in Sigmoid need.")
    ] = False,
    data: options.Data = options.DATA,
) -> None:
    """Write a synthetic recording in the layout that DANDI serves, its true rates and ceiling beside it."""
    from data.synthesis import SynthesisOptions
    from data.synthesis import synthesize as write

    folder = write(dataset, data, SynthesisOptions(seed=seed, n_trials=trials, n_neurons=neurons, binary=binary))
    typer.echo(f"wrote {folder}")


def _chains(arch: list[str] | None) -> tuple[str, ...]:
    """The chains that ``--arch`` stands for, as the study writes them; none where it was not given."""
    return tuple(map(str, chains_named(arch or ())))


def _search(open_study: OpenStudy, slots: list[Slot], hours: float | None) -> None:
    """Run workers on an open study and say how it ended."""
    open_study.recording()  # here, so that what is wrong with it is said once, and it is prepared once
    stop = Stop().listen()
    with show_for(MESSAGES) as show:
        standing = run_workers(open_study, slots, stop, hours, show)
    _print_standing(standing, find_ties(open_study))
    if standing.finished < standing.spec.trials:
        typer.echo(f"stopped before the budget was met: `nlb-search resume {open_study.name}` goes on")
    if stop.is_set():
        raise typer.Exit(INTERRUPTED)


def _print_standing(standing: Standing, ties: Ties) -> None:
    typer.echo(headline(standing))
    OUTPUT.print(report(standing, ties))


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(exit_code_of(lambda: app(standalone_mode=False)))
