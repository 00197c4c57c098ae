"""The card beside a submission: how it was made and how it scores, as JSON and as Markdown."""

import logging
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from nlb_search.data.datasets import group_name
from nlb_search.models.hyperparameters import shown
from nlb_search.search.errors import SearchError
from nlb_search.search.export_options import Phase
from nlb_search.search.exported_models.card import Card, MemberCard
from nlb_search.storage.atomic_files import atomic_file

_log = logging.getLogger(__name__)


class SubmissionCard(BaseModel):
    """The phase of a submission, the command line that makes it again, and the model of each of its datasets.

    ``scores`` are the metrics that ``evaluate`` found, by group; those that are not finite are None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    phase: Phase
    command: tuple[str, ...]
    datasets: tuple[Card, ...]
    scores: dict[str, dict[str, float | None]] = {}


def write_card(submission: Path, card: SubmissionCard) -> None:
    """Write ``SUBMISSION.card.json`` and ``SUBMISSION.card.md``. Raises SearchError if they cannot be written."""
    texts = {"json": card.model_dump_json(indent=1) + "\n", "md": card_as_markdown(submission.name, card)}
    for ending, text in texts.items():
        path = _path(submission, ending)
        try:
            with atomic_file(path) as part:
                part.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SearchError(f"cannot write {path}: {error.strerror or error}") from error


def add_scores(submission: Path, scores: Mapping[str, Mapping[str, float]]) -> None:
    """Add the metrics of some groups to the card beside a submission, if there is one.

    A card that cannot be read or written stays as it is, with a warning.
    """
    path = _path(submission, "json")
    if not path.exists():
        return
    found = {
        group: {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        for group, metrics in scores.items()
    }
    try:
        card = SubmissionCard.model_validate_json(path.read_bytes())
        write_card(submission, card.model_copy(update={"scores": card.scores | found}))
    except ValidationError:
        _log.warning("the scores are not added to %s, which another version of nlb-search wrote", path)
    except (OSError, SearchError) as error:
        _log.warning("the scores are not added to %s: %s", path, error)


def card_as_markdown(name: str, card: SubmissionCard) -> str:
    """The card as a Markdown page with the title ``name``."""
    parts = [
        f"# {name}",
        f"Predicted rates of phase {card.phase}, in spikes per bin. On the same machine, and as long as the studies "
        "have no new trials, this command recreates the file:",
        f"```\n{shlex.join(card.command)}\n```",
        *(_dataset(model, card) for model in card.datasets),
    ]
    return "\n\n".join(parts) + "\n"


def _path(submission: Path, ending: str) -> Path:
    return submission.with_name(f"{submission.name}.card.{ending}")


def _dataset(model: Card, card: SubmissionCard) -> str:
    group, sizes = group_name(model.dataset, model.bin_ms), model.sizes
    again = "" if model.trained_on == "train" else f", {model.seeds} network{'s' if model.seeds > 1 else ''} per trial"
    low, high = model.co_bps_low, model.co_bps_high
    facts = {
        "study": model.study,
        "co-bps on val": f"{model.co_bps:.4f} (95% bootstrap interval {low:.4f} to {high:.4f})",
        f"scores on {card.phase}": _scores(card.scores.get(group, {})),
        "trained on": f"{model.trained_on}{again}",
        "bins": f"{sizes.n_window} + {sizes.n_forward} forward, {model.bin_ms} ms each",
        "neurons": f"{sizes.n_heldin} held-in, {sizes.n_heldout} held-out",
        "held-out units": _numbers(model),
        "content hash of the recording": model.content_hash,
        "settings of the recording": "" if model.recording is None else model.recording.model_dump_json(),
        "versions of the study": _versions(model.versions),
        "exported with": _versions(model.exported_with),
    }
    members = [_member(member, model) for member in model.members]
    columns = [name for name in members[0] if any(member[name] for member in members)]
    return "\n".join(
        [
            f"## {group}",
            "",
            *_table(("", ""), [(name, value) for name, value in facts.items() if value]),
            "",
            *_table(columns, [[member[name] for name in columns] for member in members]),
        ]
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]


def _member(member: MemberCard, model: Card) -> dict[str, str]:
    """The row of a member, by column; empty where something is not known, and for the only study."""
    return {
        "study": "" if member.study in (None, model.study) else str(member.study),
        "trial": str(member.trial),
        "weight": f"{member.weight:.4g}",
        "co-bps on val": f"{member.co_bps:.4f}",
        "adds on val": "" if member.added is None else f"{member.added:.4f}",
        "co-bps of `rescore`": "" if member.rescored is None else f"{member.rescored:.4f}",
        "seed": str(member.seed),
        "chain": member.chain,
        "settings": ", ".join(
            f"{name} {shown(value)}" for name, value in member.settings.items() if name != "architecture"
        ),
    }


def _scores(metrics: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {'unknown' if value is None else f'{value:.4f}'}" for name, value in metrics.items())


def _numbers(model: Card) -> str:
    units = model.heldout_units
    return "" if units is None else f"{', '.join(map(str, units))} ({model.units})"


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
