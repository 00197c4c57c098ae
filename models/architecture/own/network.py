"""The network of a user's model."""

from collections.abc import Hashable
from functools import cached_property

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from nlb_search.models.architecture.network import Network, call_in_training
from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.models.architecture.own.settings import make_settings
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.masking.crops import whole_bins
from nlb_search.models.tensors import Sizes

LOSS_METHOD = "forward_with_loss"
"""Name of the optional method that is called in training instead of ``forward``."""


class OwnNetwork(Network):
    """A user's module, whose log-rates are relative to each neuron's offset.

    The module is built from the sizes and its settings. Its ``forward`` maps held-in counts, trials x bins x held-in
    neurons, to log-rates, trials x (these bins and the forward bins) x all neurons. ``forward_with_loss``, if there is
    one, is called in training, and returns log-rates and a scalar that is added to the loss.
    """

    is_capturable = False

    def __init__(self, model: OwnModel, sizes: Sizes, hyper: Hyperparameters, mean_counts: Tensor) -> None:
        """Raises OwnModelError if the class or its settings are not valid, and what its own code raises."""
        super().__init__(model.head, sizes, mean_counts)
        owner = model.imported()
        self._settings = tuple(sorted(hyper.own.items()))
        self.model = owner(sizes, make_settings(owner, hyper.own))

    @property
    def structure(self) -> tuple[Hashable, ...]:
        """All settings of the model, because any may change what its code does."""
        return self._settings

    @cached_property
    def runs_side_by_side(self) -> bool:
        """Whether ``torch.vmap`` can run the module, forwards and backwards, which is tried with two trials.

        It cannot if the module draws random numbers from torch's generator, or uses ``nn.GRU`` or ``nn.LSTM``.
        """
        heldin_BWI = self.offset_N.new_zeros(2, self.sizes.n_window, self.sizes.n_heldin)
        bins_BT = whole_bins(2, self.sizes, heldin_BWI.device)
        weights = {name: weight.detach().expand(2, *weight.shape) for name, weight in self.named_parameters()}
        for weight in weights.values():
            weight.requires_grad_()

        def total(own: dict[str, Tensor]) -> Tensor:
            output_BTN, loss = call_in_training(self, own, heldin_BWI, bins_BT)
            return output_BTN.sum() + loss

        def output(own: dict[str, Tensor]) -> Tensor:
            output_BTN: Tensor = functional_call(self, own, (heldin_BWI, bins_BT))
            return output_BTN

        was_training = self.training
        try:
            self.train()
            torch.autograd.grad(vmap(total)(weights).sum(), list(weights.values()), allow_unused=True)
            self.eval()
            with torch.no_grad():
                vmap(output)(weights)
        except Exception:
            return False
        finally:
            self.train(was_training)
        return True

    def forward(self, heldin_BWI: Tensor, bins_BT: Tensor) -> Tensor:  # noqa: ARG002
        output_BTN: Tensor = self.model(heldin_BWI) + self.offset_N
        return output_BTN

    def forward_in_training(self, heldin_BWI: Tensor, bins_BT: Tensor) -> tuple[Tensor, Tensor]:
        if not hasattr(self.model, LOSS_METHOD):
            return super().forward_in_training(heldin_BWI, bins_BT)
        output_BTN, loss = getattr(self.model, LOSS_METHOD)(heldin_BWI)
        return output_BTN + self.offset_N, loss
