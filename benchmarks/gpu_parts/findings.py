"""What parts find: rows of tables and sentences, appended to one file as soon as they are known.

So a part that crashes, hangs or is cut off leaves all that it had measured.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

Value = str | int | float
NO_GPU = "not run: no GPU"


@dataclass(frozen=True)
class Finding:
    """One row of the table ``title`` of a part, by its columns; a sentence where the title is empty."""

    part: str
    title: str
    values: dict[str, Value]


@dataclass(frozen=True)
class Record:
    """Where one part writes its findings; also printed, for the log."""

    path: Path
    part: str

    def row(self, title: str, /, **values: Value) -> None:
        """Add a row to a table; underscores in the columns' names are read as blanks."""
        self._append(Finding(self.part, title, {name.replace("_", " "): value for name, value in values.items()}))

    def say(self, sentence: str) -> None:
        """Add a sentence."""
        self._append(Finding(self.part, "", {"text": sentence}))

    def _append(self, finding: Finding) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(finding)) + "\n")
        print(finding.title, *(f"{name}: {value}" for name, value in finding.values.items()), sep="  ")
        sys.stdout.flush()


def read_findings(path: Path) -> list[Finding]:
    """All findings so far, in order. A last line that was cut off by a kill is left out."""
    lines = path.read_text().splitlines() if path.exists() else []
    return list(_whole(lines))


def _whole(lines: list[str]) -> Iterator[Finding]:
    for line in lines:
        try:
            yield Finding(**json.loads(line))
        except json.JSONDecodeError:
            continue


def markdown(findings: list[Finding]) -> str:
    """Sentences, and tables of the rows that have one title and the same columns."""
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
