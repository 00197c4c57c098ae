"""A training step contains no operation that CUDA graph capture forbids; tested without a GPU.

Capture (https://docs.pytorch.org/docs/stable/notes/cuda.html#constraints) forbids synchronization, reading values from
the device, copies from pageable host memory, shapes that depend on values, and random numbers of a generator that is
not registered with the graph. Here the step runs on torch's ``meta`` device, whose tensors have shapes but no values:
operations that need a value fail, and operations that mix meta and CPU tensors are detected.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.blocks import BLOCKS
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.masking.variant_names import SHAPES
from nlb_search.models.training.optimizer import OptimizerState
from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import TrainingPlan
from tests.helpers.recordings.population import swinging

META = torch.device("meta")

SCALAR_OPERATORS = {"add", "sub", "rsub", "mul", "div", "pow", "lt", "le", "gt", "ge", "eq", "ne", "maximum", "minimum"}
"""Operators of torch.Tensor that take a Python number by value, as an argument of the kernel; ``vmap`` hands it on as a
CPU tensor without dimensions.
"""


class Watch(TorchDispatchMode):
    """Records every operation with its shapes, and operations that a capture does not allow."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[str, list[tuple[int, ...]]]] = []
        self.forbidden: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        name = function.overloadpacket.__name__
        self.operations.append((str(function), [tuple(tensor.shape) for tensor in tensors]))
        if torch.Tag.nondeterministic_seeded in function.tags:
            self.forbidden.append(f"{function} draws from a generator")
        on_cpu = [tensor for tensor in tensors if tensor.device.type == "cpu"]
        if len(on_cpu) == len(tensors):
            return result
        is_number = all(tensor.dim() == 0 for tensor in on_cpu) and name.rstrip("_") in SCALAR_OPERATORS
        if on_cpu and not is_number:
            self.forbidden.append(f"{function} takes a tensor from the CPU to the device, or back")
        return result


class WatchCalls(TorchFunctionMode):
    """Records calls that copy Python numbers to the device, which are not visible as operations."""

    MAKE_TENSORS = (torch.tensor, torch.as_tensor, torch.asarray)
    INDEX = (Tensor.__getitem__, Tensor.__setitem__)

    def __init__(self) -> None:
        super().__init__()
        self.forbidden: list[str] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in self.MAKE_TENSORS:
            self.forbidden.append(f"torch.{function.__name__} of Python numbers")
        index = args[1] if function in self.INDEX else ()
        if any(isinstance(part, list) for part in (index if isinstance(index, tuple) else (index,))):
            self.forbidden.append("a list as an index")
        return function(*args, **(kwargs or {}))


def on_meta(trainings: list[Training]) -> StackedTrainings:
    """Trainings side by side on the meta device, in place of a GPU."""

    def moved(leaf: Any) -> Any:
        return leaf.to(META) if isinstance(leaf, Tensor) else leaf

    steps = StackedTrainings(trainings)
    steps.train = replace(steps.train, counts_BTN=moved(steps.train.counts_BTN))
    steps.rows = OptimizerState(*(moved(getattr(steps.rows, field.name)) for field in fields(OptimizerState)))
    for name in ("settings", "draws"):
        values = getattr(steps, name)
        setattr(
            steps, name, replace(values, **{field: tree_map(moved, value) for field, value in vars(values).items()})
        )
    steps.buffers = tree_map(moved, steps.buffers)
    steps.contrast_K, steps.done_K = moved(steps.contrast_K), moved(steps.done_K)
    steps.network.to(META).train()
    return steps


def trainings_of(chain: str, input_size: str, variant: str, contrastive_weight: float = 0) -> list[Training]:
    hyper = Hyperparameters(
        hidden=4, input_size=input_size, mask_variant=variant, contrastive_weight=contrastive_weight
    )
    train = swinging(8, seed=1, max_spikes=1)
    return [
        Training(parse_chain(chain), hyper, TrainingPlan(epochs=4, batch_size=8), train, seed, torch.device("cpu"))
        for seed in range(2)
    ]


def watched(step: Callable[[], object]) -> Watch:
    with WatchCalls() as calls, Watch() as watch:
        step()
    watch.forbidden.extend(calls.forbidden)
    return watch


def step_of(steps: StackedTrainings) -> Callable[[], object]:
    return lambda: steps._step(torch.zeros(2, 8, dtype=torch.long, device=META))


CHAINS = [
    *(f"{name if name != 'FF' else 'Conv'} -> FF -> exp" for name in BLOCKS),
    "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp",
    "minGRU(2) -> FF -> Sigmoid",
]


@pytest.mark.parametrize("input_size", ["DT", "dT"])
@pytest.mark.parametrize("chain", CHAINS)
def test_step_is_capturable(chain: str, input_size: str) -> None:
    watch = watched(step_of(on_meta(trainings_of(chain, input_size, "dot strip L"))))
    assert watch.forbidden == []
    assert len(watch.operations) > 100


@pytest.mark.parametrize("variant", SHAPES)
def test_every_mask_is_capturable(variant: str) -> None:
    assert watched(step_of(on_meta(trainings_of("FF -> exp", "DT", variant)))).forbidden == []


def test_contrastive_step_is_capturable() -> None:
    trainings = trainings_of("FF -> STNDT(1) -> FF -> exp", "dT", "dot", contrastive_weight=0.1)
    assert watched(step_of(on_meta(trainings))).forbidden == []


@pytest.mark.parametrize("input_size", ["DT", "dT"])
def test_all_steps_have_same_operations_and_shapes(input_size: str) -> None:
    steps = on_meta(trainings_of("GRU(2) -> FF -> RoBERTa(1) -> FF -> exp", input_size, "dot strip L"))
    first, second = watched(step_of(steps)), watched(step_of(steps))
    assert first.operations == second.operations


def step_with(read: Callable[[Tensor], object], monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
    """A step whose loss reads a part of the network's output."""
    steps = on_meta(trainings_of("FF -> exp", "DT", "dot"))
    loss = steps.network.head.loss

    def reading(output: Tensor, counts: Tensor) -> Tensor:
        read(output.detach()[0])
        return loss(output, counts)

    monkeypatch.setattr(steps.network.head, "loss", reading)
    return step_of(steps)


def test_loss_without_synchronization_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched(step_with(lambda x: x.exp().sum(), monkeypatch)).forbidden == []


@pytest.mark.parametrize(
    ("read", "rejection"),
    [
        pytest.param(lambda x: x.sum().item(), r"\.item\(\)", id="item"),
        pytest.param(lambda x: float(x.sum()), r"\.item\(\)", id="float"),
        pytest.param(lambda x: x.cpu(), "copy out of meta", id="cpu"),
        pytest.param(lambda x: x.tolist(), "copy out of meta", id="tolist"),
        pytest.param(lambda x: bool((x > 0).any()), "data-dependent control flow", id="bool"),
        pytest.param(lambda x: x[x > 0], "dynamic shape", id="boolean index"),
        pytest.param(lambda x: x.nonzero(), "dynamic shape", id="nonzero"),
        pytest.param(
            lambda x: torch.repeat_interleave(x, (x[:, 0] > 0).long(), dim=0), "without output_size", id="repeat"
        ),
    ],
)
def test_step_with_synchronization_is_detected(
    read: Callable[[Tensor], object], rejection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = step_with(read, monkeypatch)
    with pytest.raises(RuntimeError, match=rejection):
        watched(step)


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: x + torch.ones(1).to(x.device),
        lambda x: torch.where(x > 0, torch.ones(()), x),
        lambda x: x * torch.rand(x.shape, device=x.device),
        lambda x: torch.nn.functional.dropout(x),
        lambda x: x[torch.zeros(2, dtype=torch.long)],
        lambda x: x + torch.tensor([1.0], device=x.device),
        lambda x: x[[0, 1]],
        lambda x: x[:, [0]],
    ],
    ids=[
        "copy to the device",
        "CPU scalar",
        "generator",
        "torch's dropout",
        "CPU index",
        "tensor of numbers",
        "list as index",
        "list among indices",
    ],
)
def test_other_operations_that_capture_forbids_are_detected(operation: Callable[[Tensor], Tensor]) -> None:
    assert watched(lambda: operation(torch.ones(3, 3, device=META))).forbidden
