"""A temporal convolutional network (Bai et al. 2018, https://arxiv.org/abs/1803.01271) that also reads later bins."""

from typing import Literal

from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.nn import functional

from nlb_search.models.dropout import Dropout
from nlb_search.models.tensors import Sizes


class TCN(nn.Module):
    """Residual convolutions over bins, each with twice the dilation of the one before."""

    class Settings(BaseModel):
        channels: int = Field(48, ge=16, le=128)
        layers: Literal[2, 3, 4] = 3
        kernel: Literal[3, 5, 7] = 5
        dropout: float = Field(0.3, ge=0.1, le=0.6)

    def __init__(self, sizes: Sizes, settings: Settings) -> None:
        super().__init__()
        self.n_forward = sizes.n_forward
        self.read_in = nn.Linear(sizes.n_heldin, settings.channels)
        self.layers = nn.ModuleList(
            Layer(settings.channels, settings.kernel, 2**depth, settings.dropout) for depth in range(settings.layers)
        )
        self.read_out = nn.Linear(settings.channels, sizes.n_neurons)

    def forward(self, heldin: Tensor) -> Tensor:
        x = self.read_in(functional.pad(heldin, (0, 0, 0, self.n_forward)))  # nothing is known of the forward bins
        for layer in self.layers:
            x = x + layer(x)
        return self.read_out(x)


class Layer(nn.Module):
    """Normalization, a dilated convolution, GELU and dropout: trials x bins x channels."""

    def __init__(self, channels: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.conv = nn.Conv1d(channels, channels, kernel, padding="same", dilation=dilation)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        convolved = self.conv(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return self.dropout(functional.gelu(convolved))
