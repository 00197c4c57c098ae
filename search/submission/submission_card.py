"""The card beside a submission: how it was made, as JSON and as Markdown."""

import shlex
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from nlb_search.models.hyperparameters import shown
from nlb_search.search.errors import SearchError
from nlb_search.search.export_options import Phase
from nlb_search.search.exported_models.card import Card, MemberCard
from nlb_search.storage.atomic_files import whole_file


class SubmissionCard(BaseModel):
    """The phase of a submission, the command line that makes it again, and the model of each of its datasets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phase: Phase
    command: tuple[str, ...]
    datasets: tuple[Card, ...]


def write_card(submission: Path, card: SubmissionCard) -> None:
    """Write ``SUBMISSION.card.json`` and ``SUBMISSION.card.md``. Raises SearchError if they cannot be written."""
    texts = {"json": card.model_dump_json(indent=1) + "\n", "md": card_as_markdown(submission.name, card)}
    for ending, text in texts.items():
        path = submission.with_name(f"{submission.name}.card.{ending}")
        try:
            with whole_file(path) as part:
                part.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SearchError(f"cannot write {path}: {error.strerror or error}") from error


def card_as_markdown(name: str, card: SubmissionCard) -> str:
    """The card as a Markdown page with the title ``name``."""
    parts = [
        f"# {name}",
        f"Predicted rates of phase {card.phase}, in spikes per bin. This command makes the file again, on the same "
        "machine and as long as the study has no further trials:",
        f"```\n{shlex.join(card.command)}\n```",
        *(_dataset(model) for model in card.datasets),
    ]
    return "\n\n".join(parts) + "\n"


def _dataset(card: Card) -> str:
    sizes = card.sizes
    again = "" if card.trained_on == "train" else f", {card.seeds} network{'s' if card.seeds > 1 else ''} per trial"
    facts = {
        "study": card.study,
        "co-bps on val": f"{card.co_bps:.4f} (95% bootstrap interval {card.co_bps_low:.4f} to {card.co_bps_high:.4f})",
        "trained on": f"{card.trained_on}{again}",
        "bins": f"{sizes.n_window} + {sizes.n_forward} forward, {card.bin_ms} ms each",
        "neurons": f"{sizes.n_heldin} held-in, {sizes.n_heldout} held-out",
        "held-out units": _numbers(card),
        "content hash of the recording": card.content_hash,
        "settings of the recording": "" if card.recording is None else card.recording.model_dump_json(),
        "versions of the study": _versions(card.versions),
        "exported with": _versions(card.exported_with),
    }
    table = [f"| {name} | {value} |" for name, value in facts.items() if value]
    members = [_member(member) for member in card.members]
    return "\n".join(
        [
            f"## {card.dataset}",
            "",
            *("| | |", "|---|---|", *table),
            "",
            *("| trial | weight | co-bps on val | seed | chain | settings |", "|---|---|---|---|---|---|", *members),
        ]
    )


def _member(member: MemberCard) -> str:
    settings = ", ".join(f"{name} {shown(value)}" for name, value in member.settings.items() if name != "architecture")
    scores = f"{member.weight:.4g} | {member.co_bps:.4f} | {member.seed}"
    return f"| {member.trial} | {scores} | {member.chain} | {settings} |"


def _numbers(card: Card) -> str:
    units = card.heldout_units
    return "" if units is None else f"{', '.join(map(str, units))} ({card.units})"


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
