"""The command doctor, which checks this machine and a study's locations."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from nlb_search.search.cli import options
from nlb_search.search.cli.terminal import FAILED, print_line

if TYPE_CHECKING:
    from nlb_search.search.doctor.check import Check

INDENT = 18
"""Column at which the findings begin."""


def doctor(
    study: Annotated[
        str | None,
        typer.Argument(metavar="[STUDY]", help="Study to check as well: its recording, models and workers."),
    ] = None,
    storage: options.Storage = options.STORAGE,
    data: options.StudyData = None,
    artifacts: options.Artifacts = None,
) -> None:
    """Check this machine, the storage, the recordings and the workers, and explain how to fix each problem."""
    from nlb_search.search.doctor.check import results
    from nlb_search.search.doctor.locations import (
        check_data,
        check_models,
        check_recording,
        check_workers,
        location_checks,
    )
    from nlb_search.search.doctor.machine import check_gpus, check_python, check_torch
    from nlb_search.search.study.open_study import open_named_study

    locations = options.locations(storage, data, artifacts)
    machine: dict[str, Callable[[], Check]] = {"Python": check_python, "torch": check_torch, "GPUs": check_gpus}
    checks = machine | location_checks(locations)
    if study is None:
        checks["recordings"] = lambda: check_data(locations.data)
    else:
        checks["recording"] = lambda: check_recording(open_named_study(locations, study))
        checks["models"] = lambda: check_models(open_named_study(locations, study))
        checks["workers"] = lambda: check_workers(open_named_study(locations, study))
    failed = 0
    for check in results(checks):
        print_line(f"{'ok  ' if check.is_ok else 'FAIL'} {check.name:12} {check.found}", INDENT)
        if not check.is_ok:
            print_line(f"{'':{INDENT - 1}} -> {check.advice}", INDENT + 3)
            failed += 1
    if failed:
        raise typer.Exit(FAILED)
