"""Models of a user, each with one fault, except ``Good``."""

import math
from typing import Literal

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.nn import functional

from nlb_search.models.tensors import Sizes


class Good(nn.Module):
    """A linear map of each bin through a few channels."""

    class Settings(BaseModel):
        channels: int = Field(6, ge=2, le=16)
        gain: float = Field(1.0, gt=0)
        kind: Literal["relu", "tanh"] = "tanh"
        bias: bool = True
        scale: float = Field(0.5, ge=0, le=2)

    def __init__(self, sizes: Sizes, settings: BaseModel) -> None:  # noqa: ARG002
        super().__init__()
        self.sizes = sizes
        self.inner = nn.Linear(sizes.n_heldin, 6)
        self.outer = nn.Linear(6, sizes.n_neurons)

    def forward(self, heldin: Tensor) -> Tensor:
        padded = functional.pad(heldin, (0, 0, 0, self.sizes.n_forward))
        return self.outer(torch.tanh(self.inner(padded)))


class OnlyWindow(Good):
    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(heldin)[:, : heldin.shape[1]]


class WholeWindow(Good):
    """Works for whole windows, but not for crops."""

    def __init__(self, sizes: Sizes, settings: BaseModel) -> None:
        super().__init__(sizes, settings)
        self.of_bin = nn.Parameter(torch.zeros(sizes.n_bins, sizes.n_neurons))

    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(functional.pad(heldin, (0, 0, 0, self.sizes.n_window - heldin.shape[1]))) + self.of_bin


class NotFinite(Good):
    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(heldin) * math.inf


class Branching(Good):
    """Runs, but its operations depend on the values of the counts."""

    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(heldin if heldin.sum().item() > 10 else heldin * 2)


class NoGradient(Good):
    def forward(self, heldin: Tensor) -> Tensor:
        """The gradient of the root at 0 is infinite."""
        return super().forward(heldin) + (self.outer.bias - self.outer.bias).abs().sqrt()


class Detached(Good):
    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(heldin).detach().requires_grad_()


class Doubles(Good):
    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(heldin).double()


class Pair(Good):
    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(heldin), heldin  # type: ignore[return-value]


class Broken(Good):
    def forward(self, heldin: Tensor) -> Tensor:
        return self.outer(heldin @ torch.zeros(3, 3))


class AlwaysRandom(Good):
    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(heldin + torch.rand_like(heldin))


class AcrossTrials(Good):
    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(heldin - heldin.mean(dim=0))


class Normed(Good):
    def __init__(self, sizes: Sizes, settings: BaseModel) -> None:
        super().__init__(sizes, settings)
        self.norm = nn.BatchNorm1d(sizes.n_heldin)

    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(self.norm(heldin.transpose(1, 2)).transpose(1, 2))


class Forgetful(Good):
    """Its random features are not part of its state."""

    def __init__(self, sizes: Sizes, settings: BaseModel) -> None:
        super().__init__(sizes, settings)
        self.features = torch.randn(sizes.n_heldin)

    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(heldin * self.features)


class Remembering(Good):
    """Its random features are a buffer, which is stored."""

    def __init__(self, sizes: Sizes, settings: BaseModel) -> None:
        super().__init__(sizes, settings)
        self.register_buffer("features", torch.randn(sizes.n_heldin))

    def forward(self, heldin: Tensor) -> Tensor:
        return super().forward(heldin * self.features)


class Tied(Good):
    def __init__(self, sizes: Sizes, settings: BaseModel) -> None:
        super().__init__(sizes, settings)
        self.again = nn.Linear(6, sizes.n_neurons)
        self.again.weight = self.outer.weight


class Frozen(Good):
    def __init__(self, sizes: Sizes, settings: BaseModel) -> None:
        super().__init__(sizes, settings)
        self.inner.weight.requires_grad_(False)


class TwoAxes(Good):
    def forward_with_loss(self, heldin: Tensor) -> tuple[Tensor, Tensor]:
        return self(heldin), heldin


class NoLoss(Good):
    def forward_with_loss(self, heldin: Tensor) -> Tensor:
        return self(heldin)


class Unbuilt(Good):
    def __init__(self, sizes: Sizes, settings: BaseModel) -> None:
        raise RuntimeError(f"no {sizes.n_heldin}, {settings}")


class NoSettings(nn.Module):
    def __init__(self, sizes: Sizes, settings: BaseModel) -> None:  # noqa: ARG002
        super().__init__()


class WrongSettings(Good):
    class Settings(BaseModel):
        sizes: list[int] = [1]


class NoDefault(Good):
    class Settings(BaseModel):
        channels: int


class WrongDefault(Good):
    class Settings(BaseModel):
        channels: int = Field(100, ge=2, le=16)


class Reserved(Good):
    class Settings(BaseModel):
        dropout_use: bool = True


class FromZero(Good):
    class Settings(BaseModel):
        extra: int = Field(0, ge=0, le=3)


class NoModule:
    pass
