"""Relative links between the pages, and the anchors in them, lead somewhere."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
from pygments.lexers import get_lexer_by_name

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/RESULTS.md")),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs").glob("*.ipynb"),
    ]
)


def text_of(page: Path) -> str:
    """The text of a page without blocks of code."""
    if page.suffix == ".ipynb":
        cells = json.loads(page.read_text())["cells"]
        return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that GitHub gives to the headings of a page."""
    found: list[str] = []
    for heading in re.findall(r"^#+ +(.+?) *$", text_of(page), flags=re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.append(f"{anchor}-{found.count(anchor)}" if anchor in found else anchor)
    return frozenset(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if re.match(r"\w+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        is_missing = not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target))
        broken += [link] if is_missing else []
    assert broken == []


def test_anchors_are_those_of_github() -> None:
    assert "a-private-postgresql-server-postgres-localdir" in anchors(ROOT / "docs" / "storage.md")
    assert "a-study-with-other-settings" in anchors(ROOT / "docs" / "guide.md")


def test_every_page_is_in_the_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    listed = set(re.findall(r"^[\w./-]+$", index, flags=re.MULTILINE))
    pages = {page.stem for page in PAGES if page.parent.name == "docs"} - {"index"}
    assert pages <= listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_languages_of_blocks_are_known_to_the_site(page: Path) -> None:
    """Sphinx warns of a language that Pygments does not know, and ``make docs`` fails on every warning."""
    for language in set(re.findall(r"^```(\w+)$", page.read_text(), flags=re.MULTILINE)) - {"mermaid"}:
        assert get_lexer_by_name(language)
