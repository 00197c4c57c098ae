"""All tests in this folder need a GPU. They read no files and start no servers."""

from pathlib import Path

import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            item.add_marker(
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and torch sees none")
            )


@pytest.fixture
def device() -> torch.device:
    return torch.device("cuda")
