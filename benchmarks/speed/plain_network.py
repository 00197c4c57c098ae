"""Shared code of the two plain loops: float tensors of a recording, a GRU network of torch layers, a command line.

Only the score is imported from ``models``, so that changes of the training code do not affect the loops.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.shared.synthetic_searches import Synthetic
from nlb_search.data.recording import UNSEEN, Recording, Split
from nlb_search.models.scoring.bits_per_spike import bits_per_spike

RECORDING = Synthetic("mc_rtt", neurons=80, trials=500)
REPORT_SECONDS = 20.0

Clock = Callable[[], float]


@dataclass(frozen=True, eq=False)
class Spikes:
    """Counts of one split: held-in neurons with forward bins set to 0, and all neurons with a mask of known entries.

    ``target_BTN`` is 0 where ``known_BTN`` is false. T includes window and forward bins.
    """

    heldin_BTI: Tensor
    target_BTN: Tensor
    known_BTN: Tensor
    n_window: int

    @property
    def n_heldin(self) -> int:
        return self.heldin_BTI.shape[2]

    def of(self, trials: Tensor) -> "Spikes":
        """The counts of some trials."""
        return Spikes(self.heldin_BTI[trials], self.target_BTN[trials], self.known_BTN[trials], self.n_window)

    def hidden(self, ratio: float) -> "Spikes":
        """Coordinated dropout: hide a fraction of the held-in entries, and score only these of the held-in entries."""
        mask_BWI = torch.rand(len(self.heldin_BTI), self.n_window, self.n_heldin) < ratio
        window = (slice(None), slice(None, self.n_window), slice(None, self.n_heldin))
        heldin_BTI, known_BTN = self.heldin_BTI.clone(), self.known_BTN.clone()
        heldin_BTI[window].masked_fill_(mask_BWI, 0)
        known_BTN[window] &= mask_BWI
        return Spikes(heldin_BTI, self.target_BTN, known_BTN, self.n_window)


def spikes_of(split: Split) -> Spikes:
    """The counts of a split. Raises ValueError if held-out neurons or forward bins are missing."""
    if not split.has_targets:
        raise ValueError("the split has no targets: use train or val")
    counts_BTN = torch.tensor(split.counts)
    known_BTN = counts_BTN != UNSEEN
    target_BTN = counts_BTN.float() * known_BTN
    heldin_BTI = target_BTN[:, :, : split.n_heldin].clone()
    heldin_BTI[:, split.n_window_bins :] = 0
    return Spikes(heldin_BTI, target_BTN, known_BTN, split.n_window_bins)


class PlainNetwork(nn.Module):
    """GRU(2) -> FF -> exp, bidirectional, with dropout between the layers and before FF. Returns log-rates."""

    def __init__(self, spikes: Spikes, hidden: int, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(spikes.n_heldin, hidden, num_layers=2, dropout=dropout, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(2 * hidden, spikes.target_BTN.shape[2])

    def forward(self, heldin_BTI: Tensor) -> Tensor:
        output_BTN: Tensor = self.readout(self.dropout(self.gru(heldin_BTI)[0]))
        return output_BTN


def poisson_loss(log_rates_BTN: Tensor, spikes: Spikes) -> Tensor:
    """Poisson loss of the known entries in nats per entry, without the term that does not depend on the rates."""
    losses_BTN = torch.exp(log_rates_BTN) - spikes.target_BTN * log_rates_BTN
    return (losses_BTN * spikes.known_BTN).sum() / spikes.known_BTN.sum()


@torch.no_grad()
def predict(network: PlainNetwork, spikes: Spikes) -> Tensor:
    """Log-rates, B x T x N, without dropout."""
    network.eval()
    log_rates_BTN: Tensor = network(spikes.heldin_BTI)
    network.train()
    return log_rates_BTN


def co_bps(log_rates_BTN: Tensor, spikes: Spikes) -> float:
    """Co-smoothing bits per spike: held-out neurons in the window."""
    heldout = (slice(None), slice(None, spikes.n_window), slice(spikes.n_heldin, None))
    target = spikes.target_BTN[heldout].masked_fill(~spikes.known_BTN[heldout], torch.nan)
    return bits_per_spike(torch.exp(log_rates_BTN[heldout]), target).item()


@dataclass(frozen=True)
class Reached:
    """Progress of a loop: seconds so far, and the best co-bps on val so far with its weights."""

    seconds: float
    co_bps: float
    weights: dict[str, Tensor]


def weights_of(network: PlainNetwork) -> dict[str, Tensor]:
    """A copy of the current weights."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def run(loop: Callable[[Recording, int], Iterator[Reached]], description: str | None) -> None:
    """The command line of a loop. Prints the progress until the loop ends or exceeds its time limit."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="limit of CPU time, summed over threads")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    due = 0.0
    for evaluation, reached in enumerate(loop(RECORDING.recording, options.seed), start=1):
        line = f"{reached.seconds:7.1f} s  evaluation {evaluation:5d}  co-bps {reached.co_bps:8.4f}"
        if reached.seconds >= options.seconds:
            break
        if reached.seconds >= due:
            print(line, flush=True)
            due += REPORT_SECONDS
    print(f"{line}  stopped")
