"""The command line that repeats an export."""

from pathlib import Path

from nlb_search.search.ensembles.trial_selection import Selection
from nlb_search.search.export_options import Phase
from nlb_search.search.study.open_study import OpenStudy


def rebuild_command(
    studies: list[OpenStudy], target: tuple[str, Path], *, phase: Phase, selection: Selection, seeds: int
) -> list[str]:
    """The words of the command, with all options and absolute paths. ``target`` is --out or --model with its path.

    It gives the same rates as long as the studies have no new trials. A password of the storage is replaced with
    asterisks.
    """
    option, path = target
    places = studies[0].locations
    folders = {str(study.locations.data.absolute()) for study in studies}
    return [
        *("nlb-search", "export-best", *(study.name for study in studies)),
        *(option, str(path.absolute()), "--phase", phase),
        *_selecting(selection),
        *(("--seeds", str(seeds)) if phase == "test" else ()),
        *("--storage", str(places.url), "--artifacts", str(places.artifacts.absolute())),
        *(("--data", *folders) if len(folders) == 1 else ()),  # otherwise, the studies know where their recordings are
    ]


def _selecting(selection: Selection) -> list[str]:
    if selection.trial is not None:
        return ["--trial", str(selection.trial)]
    chains = [word for chain in selection.architectures for word in ("--arch", chain)]
    return ["--ensemble", str(selection.count), *chains, "--by", selection.criterion]
