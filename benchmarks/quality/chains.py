"""``python -m benchmarks.quality.chains``: searches every chain of the published table for the same time.

The recording is synthetic, with the layout of mc_rtt, 80 neurons and 500 trials, so the ceiling is known: the co-bps of
a Bayes observer that knows how the recording was generated and sees only held-in spikes. Chains that end in Sigmoid
need at most one spike per bin. They are searched on a binary recording, where rnnf is searched too for comparison.

Prints one Markdown table per recording. The val columns are scores of the best trial. The test columns are scores of
the same settings, retrained on train + val. The last column is the number of complete + pruned trials.
"""

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.shared.synthetic_searches import FOLDER, Synthetic, search_for
from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.scoring.smoothing_baseline import smoothed_rates
from nlb_search.search.creation.study_creation import StudyRequest
from nlb_search.search.ensembles.refit import RefitOptions
from nlb_search.search.ensembles.trial_selection import Selection
from nlb_search.search.export_options import Phase
from nlb_search.search.recording_tensors import heldin_of
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import study_status
from nlb_search.search.submission.evaluation import evaluate_submission
from nlb_search.search.submission.export import export_best
from nlb_search.search.trials.trial_scores import complete_trials

COUNTS = Synthetic("mc_rtt", neurons=80, trials=500)
BINARY = Synthetic("mc_rtt", neurons=80, trials=500, binary=True)

CHAINS = (
    "GRU(2) -> FF -> exp",
    "minGRU(2) -> FF -> exp",
    "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp",
    "GRU(2) -> FF -> Conv -> FF -> exp",
    "GRU(2) -> FF -> Deconv -> FF -> exp",
    "GRU(2) -> FF -> Conv(smooth) -> FF -> exp",
    "Conv -> GRU(2) -> FF -> Deconv -> FF -> exp",
    "GRU(2) -> FF -> FF -> exp",
    "Conv -> Trans -> Deconv -> Trans -> exp",
    "GRU(2) -> FF -> FF -> Sigmoid",
    "Conv -> GRU(1) -> FF -> Sigmoid",
    "Conv -> Trans -> Deconv -> Trans -> Sigmoid",
    "Conv -> Trans -> Deconv -> Sigmoid",
    "Conv -> Trans -> Deconv -> FF -> Sigmoid",
    "Conv -> Trans -> FF -> Sigmoid",
    "Deconv -> Trans -> FF -> Sigmoid",
    "Deconv -> GRU(1) -> FF -> Sigmoid",
)
ON_BINARY = ("GRU(2) -> FF -> exp", *(chain for chain in CHAINS if chain.endswith("Sigmoid")))
ON_COUNTS = tuple(chain for chain in CHAINS if not chain.endswith("Sigmoid"))
EPOCHS = 24
MAX_TRIALS = 100_000
"""More trials than any search can finish: the time limit ends each search."""


@dataclass(frozen=True)
class Row:
    """Scores of the best trial of a search, or None if no trial completed within the time limit."""

    chain: str
    val: float | None
    fp_bps: float | None = None
    vel_r2: float | None = None
    test: float | None = None
    parameters: int | None = None
    trials: str = ""


def search_chain(synthetic: Synthetic, chain: str, seconds: float) -> Row:
    """Search one chain on one recording; score the best trial on val and on test."""
    name = "chain-" + "".join(letter if letter.isalnum() else "-" for letter in chain) + f"-{synthetic.binary}"
    request = StudyRequest(dataset=synthetic.dataset, architectures=(chain,), trials=MAX_TRIALS, epochs=EPOCHS)
    study = search_for(seconds, synthetic.data, name, request).study
    states = study_status(study).states
    trials = f"{states['complete']} + {states['pruned']}"
    if not complete_trials(study.study):
        return Row(chain, None, trials=trials)
    val, test = submission_scores(study, "val"), submission_scores(study, "test")
    best = study_status(study).best
    assert best is not None
    return Row(chain, val["co-bps"], val["fp-bps"], val["vel R2"], test["co-bps"], best.attrs["n_parameters"], trials)


def submission_scores(study: OpenStudy, phase: Phase) -> dict[str, float]:
    """All metrics of the submission of the best trial."""
    file = FOLDER / f"{study.name}-{phase}.h5"
    export_best([study], file, phase, Selection(), RefitOptions(seeds=1))
    return evaluate_submission(file, study.spec.dataset, study.locations.data, None)[study.recording().group]


def baseline(synthetic: Synthetic) -> Row:
    """The baseline: spikes smoothed with a 50 ms kernel, and a Poisson readout."""
    val, test = synthetic.val, synthetic.recording.test
    assert test is not None
    n_window, n_heldin = val.sizes.n_window, val.sizes.n_heldin
    on_val = smoothed_rates(synthetic.train, val.heldin_BWI, synthetic.bin_ms)
    on_test = smoothed_rates(synthetic.train, heldin_of(test), synthetic.bin_ms)
    return Row(
        "baseline: smoothing and Poisson readout",
        bits_per_spike(on_val, val.target_BTN[:, :n_window, n_heldin:]).item(),
        test=bits_per_spike(on_test, synthetic.test_spikes).item(),
    )


def table(synthetic: Synthetic, rows: list[Row], seconds: float) -> str:
    """The rows as a Markdown table, best first."""
    ceiling_val, ceiling_test = synthetic.ceilings
    lines = [
        f"{synthetic}; {seconds:.0f} s of CPU time per chain",
        "",
        "| chain | val | / ceiling | test | / ceiling | fp-bps val | vel R2 val | parameters | trials |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: -(row.val or 0.0)):
        fraction_val = None if row.val is None else row.val / ceiling_val
        fraction_test = None if row.test is None else row.test / ceiling_test
        scores = (row.val, fraction_val, row.test, fraction_test, row.fp_bps, row.vel_r2)
        cells = ["" if score is None else f"{score:.4f}" for score in scores]
        lines.append(f"| {row.chain} | {' | '.join(cells)} | {row.parameters or ''} | {row.trials} |")
    return "\n".join(lines)


def read_log(log: Path | None) -> dict[Synthetic, list[Row]]:
    """The rows in a log file, by recording."""
    rows: dict[Synthetic, list[Row]] = {COUNTS: [], BINARY: []}
    for line in log.read_text().splitlines() if log and log.exists() else ():
        found = json.loads(line)
        rows[BINARY if found["binary"] else COUNTS].append(Row(**found["row"]))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="CPU time per chain")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--log", type=Path, help="file of finished searches, to continue an interrupted run")
    options = parser.parse_args()
    rows = read_log(options.log)
    jobs = [(COUNTS, chain) for chain in ON_COUNTS] + [(BINARY, chain) for chain in ON_BINARY]
    jobs = [(synthetic, chain) for synthetic, chain in jobs if chain not in {row.chain for row in rows[synthetic]}]
    for synthetic in (COUNTS, BINARY):
        synthetic.recording  # noqa: B018  generate it once, before the workers start
    with ProcessPoolExecutor(options.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        futures = [
            (synthetic, pool.submit(search_chain, synthetic, chain, options.seconds)) for synthetic, chain in jobs
        ]
        for synthetic, future in futures:
            row = future.result()
            rows[synthetic].append(row)
            if options.log:
                with options.log.open("a") as log:
                    log.write(json.dumps({"binary": synthetic.binary, "row": asdict(row)}) + "\n")
    for synthetic, found in rows.items():
        chance = Row("chance: mean rate of each neuron", 0.0, 0.0, 0.0, 0.0)
        ceiling = Row("ceiling: Bayes observer", *synthetic.ceilings[:1], test=synthetic.ceilings[1])
        print("\n" + table(synthetic, [*found, baseline(synthetic), chance, ceiling], options.seconds))


if __name__ == "__main__":
    main()
