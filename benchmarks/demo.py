"""``make demo``: runs all steps from a synthetic recording to scored submissions, in the folder ``demo``.

Writes an mc_rtt recording with 80 neurons and 500 trials as NWB files, searches it with two workers, exports the best
trial for val and an ensemble for test, and scores both. Prints the scores and the ceiling: the co-bps of a Bayes
observer that knows how the recording was generated but sees only the held-in spikes. Each run deletes the folder first.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nlb_search.data.ceiling import read_ceiling
from nlb_search.search.launching.worker_process import MODULE

FOLDER = Path("demo")
STUDY, TRIALS, EPOCHS = "demo", 6, 12


def nlb_search(*arguments: str) -> str:
    """Print a command of nlb-search, run it in the demo folder, and return its output."""
    print(f"\n$ nlb-search {' '.join(arguments)}", flush=True)
    environment = os.environ | {
        "NLB_SEARCH_CACHE": "cache",
        "NLB_SEARCH_STORAGE": "sqlite:///nlb-search.db",
        "NLB_SEARCH_DATA": "nlb-data",
    }
    done = subprocess.run(
        [sys.executable, *MODULE, *arguments], cwd=FOLDER, env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout


def scores_of(file: str) -> dict[str, float]:
    scores: dict[str, dict[str, float]] = json.loads(nlb_search("evaluate", file, "--dataset", "mc_rtt", "--json"))
    return scores["mc_rtt"]


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    began = time.monotonic()
    nlb_search("synthesize", "mc_rtt", "--neurons", "80", "--trials", "500", "--seed", "0")
    launch = ("launch", STUDY, "--dataset", "mc_rtt", "--arch", "rnnf", "--trials", str(TRIALS), "--workers", "2")
    nlb_search(*launch, "--epochs", str(EPOCHS))
    nlb_search("export-best", STUDY, "--out", "val.h5")
    nlb_search("export-best", STUDY, "--out", "test.h5", "--phase", "test", "--seeds", "1")
    val, test = scores_of("val.h5"), scores_of("test.h5")
    nlb_search("plot", STUDY, "--out", "figures")
    states = json.loads(nlb_search("status", STUDY, "--json"))["states"]
    ceiling = read_ceiling(FOLDER / "nlb-data" / "mc_rtt" / "mc_rtt_truth.h5")

    table = Table("", "val", "test", title="\nBest trial (val), ensemble (test) and ceiling")
    table.add_row("co-bps", f"{val['co-bps']:.4f}", f"{test['co-bps']:.4f}")
    table.add_row("ceiling", f"{ceiling.co_bps_val:.4f}", f"{ceiling.co_bps_test:.4f}")
    fractions = (val["co-bps"] / ceiling.co_bps_val, test["co-bps"] / ceiling.co_bps_test)
    table.add_row("fraction of the ceiling", *(f"{fraction:.3f}" for fraction in fractions))
    table.add_row("vel R2", f"{val['vel R2']:.4f}", f"{test['vel R2']:.4f}")
    table.add_row("fp-bps", f"{val['fp-bps']:.4f}", f"{test['fp-bps']:.4f}")
    table.add_row("submission", *(str(FOLDER / name) for name in ("val.h5", "test.h5")))
    console = Console()
    console.print(table)
    finished = f"{states['complete']} trials complete, {states['pruned']} pruned"
    console.print(f"{finished}, {time.monotonic() - began:.0f} seconds in total")
    console.print(f"figure of the search: {FOLDER / 'figures' / 'history.html'}")
    console.print(f"next steps: cd {FOLDER}; export NLB_SEARCH_CACHE=cache; ../.venv/bin/nlb-search status {STUDY}")


if __name__ == "__main__":
    main()
