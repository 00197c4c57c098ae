"""A sequential autoencoder like LFADS (Pandarinath et al. 2018, https://doi.org/10.1038/s41592-018-0109-9).

An encoder reads the window and infers a distribution of the initial state of a generator, and of its input in each bin.
The generator runs through window and forward bins; its rates are read out from a few factors. LFADS has a controller
with feedback from the factors instead of inputs that depend on the encoder alone.
"""

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.nn import functional

from nlb_search.models.tensors import Sizes


class LFADS(nn.Module):
    class Settings(BaseModel):
        hidden: int = Field(64, ge=32, le=128)
        factors: int = Field(16, ge=8, le=40)
        inputs: int = Field(4, ge=1, le=16)
        dropout: float = Field(0.3, ge=0.1, le=0.6)
        kl_weight: float = Field(0.1, ge=0.0, le=1.0)

    def __init__(self, sizes: Sizes, settings: Settings) -> None:
        super().__init__()
        hidden, inputs = settings.hidden, settings.inputs
        self.n_forward, self.kl_weight = sizes.n_forward, settings.kl_weight
        self.dropout = nn.Dropout(settings.dropout)
        self.encoder = nn.GRU(sizes.n_heldin, hidden, batch_first=True, bidirectional=True)
        self.to_state = nn.Linear(2 * hidden, 2 * hidden)
        self.to_inputs = nn.Linear(2 * hidden, 2 * inputs)
        self.generator = nn.GRU(inputs, hidden, batch_first=True)
        self.factors = nn.Linear(hidden, settings.factors, bias=False)
        self.log_rates = nn.Linear(settings.factors, sizes.n_neurons)

    def forward(self, heldin: Tensor) -> Tensor:
        return self.forward_with_loss(heldin)[0]

    def forward_with_loss(self, heldin: Tensor) -> tuple[Tensor, Tensor]:
        encoded, last = self.encoder(self.dropout(heldin))
        encoded, last = self.dropout(encoded), self.dropout(torch.cat([last[0], last[1]], dim=-1))
        state, kl_of_state = self.draw(self.to_state(last))
        inputs, kl_of_inputs = self.draw(self.to_inputs(encoded))
        generated, _ = self.generator(functional.pad(inputs, (0, 0, 0, self.n_forward)), state.unsqueeze(0))
        log_rates = self.log_rates(self.factors(self.dropout(generated)))
        # The loss is a mean over entries, so the divergence, a sum over a trial, is divided by the trial's entries.
        kl = (kl_of_state + kl_of_inputs) / len(heldin) / log_rates[0].numel()
        return log_rates, self.kl_weight * kl

    def draw(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """A sample in training, otherwise the mean; and the Kullback-Leibler divergence from a standard normal."""
        mean, log_variance = parameters.chunk(2, dim=-1)
        kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum()
        sample = mean + torch.randn_like(mean) * (0.5 * log_variance).exp() if self.training else mean
        return sample, kl
