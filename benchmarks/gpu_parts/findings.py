"""Findings of the parts: table rows and sentences, each appended to one file immediately.

The findings of a part that crashes, hangs or is killed are therefore kept.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

Value = str | int | float
NO_GPU = "skipped, no GPU"


@dataclass(frozen=True)
class Finding:
    """One row of the table ``title``, as a dict of its columns. A finding with an empty title is a sentence."""

    part: str
    title: str
    values: dict[str, Value]


@dataclass(frozen=True)
class Record:
    """Writes the findings of one part to a file and prints them to the log."""

    path: Path
    part: str

    def row(self, title: str, /, **values: Value) -> None:
        """Add a row to a table. Underscores in column names become spaces."""
        self._append(Finding(self.part, title, {name.replace("_", " "): value for name, value in values.items()}))

    def sentence(self, sentence: str) -> None:
        """Add a sentence."""
        self._append(Finding(self.part, "", {"text": sentence}))

    def _append(self, finding: Finding) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(finding)) + "\n")
        print(finding.title, *(f"{name}: {value}" for name, value in finding.values.items()), sep="  ")
        sys.stdout.flush()


def read_findings(path: Path) -> list[Finding]:
    """All findings so far, in order. Skips an incomplete last line, written by a part that was killed."""
    lines = path.read_text().splitlines() if path.exists() else []
    return list(_parse(lines))


def _parse(lines: list[str]) -> Iterator[Finding]:
    for line in lines:
        try:
            yield Finding(**json.loads(line))
        except json.JSONDecodeError:
            continue


def markdown(findings: list[Finding]) -> str:
    """The findings as Markdown. Consecutive rows with the same title and columns form a table."""
    blocks = []
    for (title, columns), group in groupby(findings, lambda finding: (finding.title, tuple(finding.values))):
        rows = list(group)
        if not title:
            blocks.append("\n\n".join(str(row.values["text"]) for row in rows))
            continue
        head = [f"*{title}*", "", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
        blocks.append("\n".join([*head, *(f"| {' | '.join(map(_cell, row.values.values()))} |" for row in rows)]))
    return "\n\n".join(blocks)


def _cell(value: Value) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
