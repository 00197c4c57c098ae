"""`predict --stream`: lines of counts in, lines of rates out."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nlb_search.search.errors import SearchError
from nlb_search.search.exported_models.line_stream import rates_of_lines
from nlb_search.search.exported_models.model import Model
from nlb_search.search.exported_models.model_folder import save_model
from tests.helpers.processes.command import COMMAND, call
from tests.helpers.random_models import CARD_OF_NONE, SIZES, random_network

MODEL = Model(
    (
        random_network("GRU(2) -> FF -> exp", 0.7, bidirectional=False),
        random_network("minGRU(1) -> FF -> exp", 0.3, bidirectional=False),
    ),
    CARD_OF_NONE,
)
COUNTS_BTI = np.random.default_rng(0).poisson(0.5, (2, SIZES.n_window, SIZES.n_heldin))
ZEROS_I = np.zeros(SIZES.n_heldin, int)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stream")
    save_model(folder / "model", MODEL, [])
    return folder


@pytest.fixture
def process(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [*COMMAND, "predict", "model", "--stream"]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_each_bin_is_answered_before_the_next_is_sent(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    answers = []
    for counts_TI in COUNTS_BTI:
        for counts_I in (*counts_TI, *[ZEROS_I] * SIZES.n_forward):
            process.stdin.write(" ".join(map(str, counts_I)) + "\n")
            process.stdin.flush()
            answers.append([float(word) for word in process.stdout.readline().split()])
        process.stdin.write("\n")
    _, said = process.communicate()
    assert process.returncode == 0
    assert "ready: give lines with the counts of 6 held-in neurons in a bin of 5 ms" in said
    rates = np.array(answers).reshape(2, SIZES.n_bins, SIZES.n_neurons)
    np.testing.assert_allclose(rates, MODEL(COUNTS_BTI), rtol=1e-5, atol=1e-6)


def test_json_is_answered_as_json_with_the_same_numbers() -> None:
    counts = COUNTS_BTI[0].tolist()
    plain = rates_of_lines(MODEL, [" ".join(map(str, bin_counts)) for bin_counts in counts])
    as_json = rates_of_lines(MODEL, [json.dumps(bin_counts) for bin_counts in counts])
    for one, other in zip(plain, as_json, strict=True):
        assert [float(word) for word in one.split()] == json.loads(other)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0 1 0", "a line must have the counts of 6 held-in neurons, but it has 3 numbers"),
        ("0 1 0 0 0 x", "'0 1 0 0 0 x' is not a list of numbers"),
        ("[[0, 1, 0, 0, 0, 0]]", "is not a list of numbers"),
        ("[0, 1", "is not a list of numbers"),
        ("0 1 0 0 0 -1", "must be finite and 0 or more"),
        ("0 1 0 0 0 nan", "must be finite and 0 or more"),
    ],
)
def test_a_line_that_is_not_the_counts_of_a_bin_is_named(line: str, says: str) -> None:
    answers = rates_of_lines(MODEL, ["0 0 0 0 0 0", "", line])
    next(answers)
    with pytest.raises(SearchError, match="line 3 of the input: ") as error:
        next(answers)
    assert says in str(error.value)


def test_a_chain_that_reads_later_bins_is_rejected_before_anything_is_read() -> None:
    model = Model((random_network("GRU(1) -> FF -> exp", 1.0, bidirectional=True),), CARD_OF_NONE)
    with pytest.raises(SearchError, match="cannot predict bin by bin"):
        rates_of_lines(model, iter(["0 0 0 0 0 0"]))


def test_files_and_recordings_do_not_go_with_a_stream(folder: Path) -> None:
    rejected = call("predict", "model", "--stream", "--out", "rates.h5", cwd=folder)
    assert rejected.code == 2
    assert "remove --out" in rejected.err
    rejected = call("predict", "model", cwd=folder)
    assert rejected.code == 2
    assert "pass --out FILE.h5, or --stream" in rejected.err
