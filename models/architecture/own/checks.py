"""Checks of a user's model before a search begins."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor

from nlb_search.models.architecture.network import predict
from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.models.architecture.own.network import LOSS_METHOD, OwnNetwork
from nlb_search.models.errors import OwnModelError
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.masking.crops import window_bins
from nlb_search.models.masking.variant_names import WHOLE
from nlb_search.models.tensors import Sizes

N_TRIALS = 3
"""Number of trials in the example: a number that is unlikely to equal any size."""

MEAN_COUNT = 0.2

_Result = TypeVar("_Result")


def check_own_model(model: OwnModel, sizes: Sizes, input_sizes: Iterable[str]) -> None:
    """Run the model with its default settings on random counts, once for each of the ``input_sizes`` of the search.

    Raises OwnModelError if it cannot be built, if it returns log-rates of another shape or type or ones that are not
    finite, if it cannot be trained, or if its parameters and buffers are not all that it predicts with.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network, other = (_attempt(f"{model}: building it", _built, model, sizes) for _ in range(2))
        _check_parameters(model, network)
        for input_size in sorted(input_sizes, key=lambda size: size != WHOLE):
            _check_forward(model, network, sizes, input_size)
            _check_training(model, network, sizes, input_size)
        _check_reloading(model, network, other, sizes)


def _built(model: OwnModel, sizes: Sizes) -> OwnNetwork:
    return OwnNetwork(model, sizes, Hyperparameters(), torch.full((sizes.n_neurons,), MEAN_COUNT))


def _attempt(what: str, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Call the user's code. Raises OwnModelError with the reason if it fails."""
    try:
        return function(*arguments)
    except OwnModelError:
        raise
    except Exception as error:
        raise OwnModelError(f"{what} failed: {type(error).__name__}: {' '.join(str(error).split())}") from error


def _check_parameters(model: OwnModel, network: OwnNetwork) -> None:
    parameters = dict(network.model.named_parameters())
    if not parameters:
        raise OwnModelError(f"{model} has no parameters to train")
    twice = [name for name, _ in network.model.named_parameters(remove_duplicate=False) if name not in parameters]
    if twice:
        raise OwnModelError(
            f"{model}: the parameter {twice[0]} is that of another name: register it once, and use it twice in forward"
        )
    for name, parameter in parameters.items():
        if parameter.dtype != torch.float32:
            raise OwnModelError(f"{model}: the parameter {name} is {parameter.dtype}: it must be torch.float32")
        if not parameter.requires_grad:
            raise OwnModelError(f"{model}: the parameter {name} is not trained: use register_buffer for a constant")


def _check_forward(model: OwnModel, network: OwnNetwork, sizes: Sizes, input_size: str) -> None:
    heldin_BWI = _counts(sizes, input_size)
    network.eval()
    with torch.no_grad():
        rates, again = (_attempt(_where(model, "forward", input_size), network.model, heldin_BWI) for _ in range(2))
    _check_rates(_where(model, "forward", input_size), rates, heldin_BWI, sizes)
    if not torch.equal(rates, again):
        raise OwnModelError(
            f"{model}: forward is random in eval mode: draw random numbers only if self.training is true"
        )
    with torch.no_grad():
        first = _attempt(f"{model}: forward with one trial", network.model, heldin_BWI[:1])
    if first.shape != rates[:1].shape or not torch.allclose(first, rates[:1], atol=1e-4):
        raise OwnModelError(f"{model}: the log-rates of a trial depend on the other trials, which a batch may not have")


def _check_training(model: OwnModel, network: OwnNetwork, sizes: Sizes, input_size: str) -> None:
    where = _where(model, LOSS_METHOD if hasattr(network.model, LOSS_METHOD) else "forward in training", input_size)
    heldin_BWI = _counts(sizes, input_size)
    network.train()
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    output, loss = _attempt(where, network.forward_in_training, heldin_BWI, torch.empty(0))
    _check_rates(where, output, heldin_BWI, sizes)
    if not isinstance(loss, Tensor) or loss.shape != () or not torch.isfinite(loss):
        raise OwnModelError(f"{where} returned the loss {loss}: it must be a finite scalar tensor")
    total = network.head.loss(output, torch.ones_like(output)).mean() + loss
    parameters = list(network.model.parameters())
    gradients = _attempt(f"{where}, backwards,", _gradients, total, parameters)
    if all(gradient is None for gradient in gradients):
        raise OwnModelError(f"{where}: the log-rates do not depend on any parameter")
    if not all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None):
        raise OwnModelError(f"{where} has a gradient that is not finite")
    for name, buffer in network.named_buffers():
        if not torch.equal(buffer, buffers[name]):
            raise OwnModelError(
                f"{where} changes the buffer {name.removeprefix('model.')}, and only parameters are averaged: "
                "use LayerNorm or GroupNorm instead of BatchNorm"
            )


def _gradients(total: Tensor, parameters: list[Tensor]) -> tuple[Tensor | None, ...]:
    return torch.autograd.grad(total, parameters, allow_unused=True)


def _check_reloading(model: OwnModel, network: OwnNetwork, other: OwnNetwork, sizes: Sizes) -> None:
    """Raise OwnModelError unless a second network predicts the same with the parameters and buffers."""
    heldin_BWI = _counts(sizes, WHOLE)
    other.load_state_dict(network.state_dict())
    if not torch.equal(predict(other, heldin_BWI), predict(network, heldin_BWI)):
        raise OwnModelError(
            f"{model} predicts different rates after it is saved and loaded: keep random or computed tensors with "
            "register_buffer or nn.Parameter, not as plain attributes"
        )


def _check_rates(where: str, rates: Any, heldin_BWI: Tensor, sizes: Sizes) -> None:
    if not isinstance(rates, Tensor):
        raise OwnModelError(f"{where} returned {type(rates).__name__}: it must return a tensor of log-rates")
    n_trials, n_bins, n_heldin = heldin_BWI.shape
    expected = (n_trials, n_bins + sizes.n_forward, sizes.n_neurons)
    if rates.shape != expected:
        hint = (
            ""
            if n_bins == sizes.n_window
            else ('; read the number of bins from the shape of the input, or write input_size = "DT" in the space file')
        )
        raise OwnModelError(
            f"{where} returned log-rates of shape {tuple(rates.shape)} for {n_trials} trials of {n_bins} bins and "
            f"{n_heldin} held-in neurons: they must be {expected}, with {sizes.n_forward} forward bins and "
            f"{sizes.n_neurons} neurons{hint}"
        )
    if rates.dtype != torch.float32:
        raise OwnModelError(f"{where} returned log-rates of type {rates.dtype}: they must be torch.float32")
    if not torch.isfinite(rates).all():
        raise OwnModelError(f"{where} returned log-rates that are not finite")


def _where(model: OwnModel, method: str, input_size: str) -> str:
    return f"{model}: {method}{'' if input_size == WHOLE else f' with crops of trials ({input_size})'}"


def _counts(sizes: Sizes, input_size: str) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (N_TRIALS, window_bins(input_size, sizes), sizes.n_heldin)
    return torch.poisson(torch.full(shape, MEAN_COUNT), generator)
