"""``python -m benchmarks.speed.published_loop``: a reimplementation of the published training loop, as a baseline.

Trains GRU(2) -> FF -> exp on all trials in every step, with a dot mask as coordinated dropout, a Poisson loss and Adam.
Evaluates train and val after every step and keeps the checkpoint with the lowest val loss. Prints the CPU time and the
co-bps on val of that checkpoint.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from benchmarks.speed.plain_network import (
    Clock,
    PlainNetwork,
    Reached,
    Spikes,
    co_bps,
    poisson_loss,
    predict,
    run,
    spikes_of,
    weights_of,
)
from nlb_search.data.recording import Recording


@dataclass(frozen=True)
class Settings:
    """Hyperparameters from the published grid."""

    hidden: int = 64
    dropout: float = 0.46
    lr: float = 0.01
    mask_ratio: float = 0.27


def published_loop(
    recording: Recording, seed: int = 0, settings: Settings | None = None, clock: Clock = time.process_time
) -> Iterator[Reached]:
    """Train without end. Yields after each step."""
    settings = settings or Settings()
    start = clock()
    torch.manual_seed(seed)
    train, val = spikes_of(recording.train), spikes_of(recording.val)
    network = PlainNetwork(train, settings.hidden, settings.dropout)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr)
    lowest_loss = float("inf")
    while True:
        masked = train.hidden(settings.mask_ratio)
        optimizer.zero_grad()
        poisson_loss(network(masked.heldin_BTI), masked).backward()
        optimizer.step()
        _scores(network, train)
        loss, score = _scores(network, val)
        if loss < lowest_loss:
            lowest_loss, best_score, best_weights = loss, score, weights_of(network)
        yield Reached(clock() - start, best_score, best_weights)


def _scores(network: PlainNetwork, spikes: Spikes) -> tuple[float, float]:
    """Loss and co-bps without a mask. The published loop computes both after every step, on train and on val."""
    log_rates_BTN = predict(network, spikes)
    return poisson_loss(log_rates_BTN, spikes).item(), co_bps(log_rates_BTN, spikes)


if __name__ == "__main__":
    run(published_loop, __doc__)
