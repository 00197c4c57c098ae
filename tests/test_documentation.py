"""Files and modules named in the contributor documentation exist."""

import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("docs/architecture.md", "CONTRIBUTING.md")


def quoted(page: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", (ROOT / page).read_text()))


@pytest.mark.parametrize("page", PAGES)
def test_files_named_in_docs_exist(page: str) -> None:
    files = {text for text in quoted(page) if re.fullmatch(r"[\w./-]+/[\w./-]*|[\w-]+\.(md|toml|yaml|cff)", text)}
    assert len(files) > 10
    assert [file for file in sorted(files) if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_package_names_used_in_docs_exist(page: str) -> None:
    names = sorted(text for text in quoted(page) if re.fullmatch(r"nlb_search(\.\w+)+", text))
    for name in names:
        pkgutil.resolve_name(name)
    assert names or page != "docs/architecture.md"
