"""Commands that score and export: rescore, export-best and evaluate."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nlb_search.models.architecture.named_chains import NAMED_ENSEMBLES
from nlb_search.search.cli import options
from nlb_search.search.cli.terminal import INTERRUPTED, MESSAGES, OUTPUT, print_json, working
from nlb_search.search.errors import UsageError
from nlb_search.search.export_options import AUTO, REFIT_SEEDS, Phases, RankingCriterion, Scorer


def rescore(
    study: options.StudyName,
    finalists: Annotated[int, typer.Option(min=1, help="Number of best trials to rescore.")] = 5,
    splits: Annotated[int, typer.Option(min=2, help="Number of cross-validation folds.")] = 4,
    arch: Annotated[
        list[str] | None,
        typer.Option(
            help="Rescore only trials of this chain. Repeat for several chains, each with --finalists trials."
        ),
    ] = None,
    workers: options.Workers = None,
    gpus: options.Gpus = "all",
    workers_per_gpu: options.WorkersPerGpu = 1,
    as_json: options.Json = False,
    storage: options.Storage = options.STORAGE,
    data: options.StudyData = None,
) -> None:
    """Rescore the best trials of a study by cross-validation, because val overestimates the trials that it selected."""
    from nlb_search.search.figures.rescoring_table import choice, finalists_table
    from nlb_search.search.launching.slots import chosen_gpus, make_slots
    from nlb_search.search.rescoring.rescoring import choose_finalists
    from nlb_search.search.rescoring.rescoring import rescore as run_rescoring
    from nlb_search.search.study.open_study import open_named_study
    from nlb_search.search.workers.shutdown import Stop

    open_study = open_named_study(options.locations(storage, data), study)
    chosen = choose_finalists(open_study, finalists, options.architectures(arch))
    slots = make_slots(chosen_gpus(gpus), workers_per_gpu, workers)
    stop = Stop().listen()
    with working(f"rescoring {len(chosen)} trials on {splits} folds"):
        rescoring = run_rescoring(open_study, chosen, splits, slots, stop)
    if as_json:
        print_json(rescoring.as_json())
    else:
        OUTPUT.print(finalists_table(rescoring))
        typer.echo(choice(rescoring))
    if stop.is_set():
        raise typer.Exit(INTERRUPTED)


def export_best(
    study: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY...", help="Studies to export. Trials are selected from all studies of a dataset."
        ),
    ],
    out: Annotated[Path | None, typer.Option(metavar="FILE.h5", help="Submission file to write.")] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for the model, for `predict` or load_model."),
    ] = None,
    onnx: Annotated[
        Path | None, typer.Option(metavar="FILE.onnx", help="ONNX file for the model, for other programs.")
    ] = None,
    phase: Annotated[
        Phases,
        typer.Option(
            help="Split to predict. For test, networks are retrained on train + val. For both, two files are "
            "written, FILE.val.h5 and FILE.test.h5."
        ),
    ] = "val",
    ensemble: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto",
            show_default="auto for test without --trial, --arch and --by, otherwise 1",
            help="Number of best trials to average, or auto to select trials and weights on val.",
        ),
    ] = None,
    trial: Annotated[int | None, typer.Option(min=0, help="Number of a trial to export instead of the best.")] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            show_default=str(REFIT_SEEDS),
            help="For phase test: number of networks to retrain for each trial.",
        ),
    ] = None,
    arch: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Use only trials of this chain. Repeat, or pass {' or '.join(NAMED_ENSEMBLES)}, to average chains."
        ),
    ] = None,
    by: Annotated[
        RankingCriterion,
        typer.Option(
            help="Score that selects the best trial: val (the first objective of the study), splits (the scores of "
            "`rescore`), or another objective of the study."
        ),
    ] = "val",
    workers: options.Workers = None,
    gpus: options.Gpus = "all",
    storage: options.Storage = options.STORAGE,
    data: options.StudyData = None,
    artifacts: options.Artifacts = None,
) -> None:
    """Export the best trial or an ensemble: its rates as a submission file, the model itself, or both."""
    from nlb_search.models.errors import InterruptedTrainingError
    from nlb_search.search.cli.refit_progress import shown_progress
    from nlb_search.search.ensembles.refit import refit_options
    from nlb_search.search.ensembles.trial_selection import selection_of
    from nlb_search.search.exported_models.model_files import ModelFiles
    from nlb_search.search.launching.slots import chosen_gpus, make_slots
    from nlb_search.search.study.open_study import open_named_study
    from nlb_search.search.submission.export import export_best as export
    from nlb_search.search.submission.export import phases_of, submission_files
    from nlb_search.search.workers.shutdown import Stop

    locations = options.locations(storage, data, artifacts)
    if {out, model, onnx} == {None}:
        raise UsageError("nothing to write: pass --out FILE.h5, --model DIR or --onnx FILE.onnx")
    if trial is not None and len(study) > 1:
        raise UsageError(f"--trial needs exactly one study, but {len(study)} are given: export them one by one")
    selection = selection_of(phase, _ensemble_size(ensemble), options.architectures(arch), by, trial)
    slots, stop = make_slots(chosen_gpus(gpus), 1, workers), Stop().listen()
    studies = [open_named_study(locations, name) for name in study]
    try:
        with shown_progress(MESSAGES) as progress:
            refitting = refit_options(phase, seeds, slots, stop, progress)
            export(studies, out, phase, selection, refitting, ModelFiles(model, onnx))
    except InterruptedTrainingError as error:
        typer.echo(str(error))
        raise typer.Exit(INTERRUPTED) from error
    if out is not None:
        for each, file in submission_files(out, phases_of(phase)).items():
            typer.echo(
                f"wrote {file} (phase {each}) and checked all arrays; {file.name}.card.md describes how it was made"
            )
    for path in (model, onnx):
        if path is not None:
            typer.echo(f"wrote the model {path}")


def _ensemble_size(text: str | None) -> int | Literal["auto"] | None:
    """The value of --ensemble. Raises UsageError unless it is a positive integer or auto, or was not given."""
    if text is None or text == AUTO:
        return text
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--ensemble {text}: pass a number of trials (1 or more), or auto")
    return int(text)


def evaluate(
    file: Annotated[Path, typer.Argument(metavar="FILE.h5", help="Submission file.")],
    dataset: Annotated[str, typer.Option(help="Dataset in the file to score.")],
    targets: Annotated[Path | None, typer.Option(help="File of test targets, such as eval_data_test.h5.")] = None,
    detail: Annotated[
        bool,
        typer.Option(
            "--detail", help="Also show the uncertainty of co-bps, co-bps of each held-out neuron, and few-shot co-bps."
        ),
    ] = False,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png|svg|html", help="Draw what --detail shows, as an image or a page."),
    ] = None,
    by: Annotated[
        Scorer,
        typer.Option(
            help="Package that computes the metrics. Both give the same results; install nlb_tools separately."
        ),
    ] = "nlb-search",
    as_json: options.Json = False,
    data: options.Data = options.DATA,
) -> None:
    """Score a submission with all metrics of the benchmark, and add them to its card if it has one."""
    from nlb_search.search.figures.detail_chart import detail_chart
    from nlb_search.search.figures.detail_table import detail_tables
    from nlb_search.search.figures.figure_files import check_figure, write_figure
    from nlb_search.search.scoring.negative_scores import negative_score_warning
    from nlb_search.search.submission.detail import detail_of
    from nlb_search.search.submission.evaluation import read_submission, scores_of
    from nlb_search.search.submission.submission_card import add_scores

    if figure is not None:
        check_figure(figure)
    with working(f"scoring {file}"):
        submitted = read_submission(file, dataset, data, targets)
        scores = {one.group: scores_of(one, by) for one in submitted}
        details = {one.group: detail_of(one) for one in submitted} if detail or figure else {}
    add_scores(file, scores)
    if figure is not None:
        write_figure(detail_chart(file.name, details), figure)
        MESSAGES.print(f"wrote {figure}", soft_wrap=True, highlight=False)
    for name, metrics in scores.items():
        if (warning := negative_score_warning(metrics["co-bps"])) is not None:
            MESSAGES.print(f"{name}: {warning}", soft_wrap=True)
    if as_json:
        detailed = {name: {"detail": found.as_json()} for name, found in details.items() if detail}
        print_json({name: metrics | detailed.get(name, {}) for name, metrics in scores.items()})
        return
    for name, metrics in scores.items():
        for metric, value in metrics.items():
            typer.echo(f"{name}  {metric:8} {value:8.4f}")
    for name, found in details.items() if detail else ():
        OUTPUT.print(detail_tables(name, found))
