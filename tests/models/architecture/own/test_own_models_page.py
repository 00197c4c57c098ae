"""docs/own-models.md shows the example that the tests run."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.helpers.specifications import spec_of, written

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "own-models.md").read_text()


def test_page_shows_the_example() -> None:
    [shown] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert shown == (DOCS / "examples" / "tcn.py").read_text()


def test_space_of_the_page_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS / "examples")
    [text] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    space = spec_of(written(text), ("tcn:TCN", "lfads:LFADS")).space
    names = {f"{model}.{name}" for model in ("TCN", "LFADS") for name in tomllib.loads(text)[model]}
    assert names == {"TCN.channels", "TCN.kernel", "LFADS.kl_weight"}
    assert str(space["LFADS.kl_weight"]) == "0.01 to 1, log-uniform"
