"""What is searched, and how far: the published grid, and a wider space around it."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import optuna
from pydantic import BaseModel, ConfigDict, Field

from nlb_search.models.architecture.chain import Chain, parse_chain
from nlb_search.models.blocks import BLOCKS
from nlb_search.models.blocks.attention import Attention
from nlb_search.models.blocks.recurrent import Recurrent
from nlb_search.models.hyperparameters import Hyperparameters, shown
from nlb_search.models.masking.crops import INPUT_SIZES
from nlb_search.models.masking.masks import PUBLISHED_VARIANTS, SHAPES
from nlb_search.search.errors import UsageError

ARCHITECTURE = "architecture"
"""The trial's parameter that names its chain, where a study has several."""

NONE, SOME = "none", "some"
_USE = "_use"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Choice(_Frozen):
    """One of some values; a fixed value is a choice of one."""

    kind: Literal["choice"] = "choice"
    values: tuple[bool | int | float | str, ...]

    def __str__(self) -> str:
        return ", ".join(value if isinstance(value, str) else shown(value) for value in self.values)

    def suggest(self, trial: optuna.Trial, name: str) -> Any:
        return trial.suggest_categorical(name, self.values)

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        """The trial's parameters that make it ``value``, or None if it is not in the range."""
        return {name: value} if value in self.values else None


class Real(_Frozen):
    """A real number from low to high, uniform in itself or in its logarithm."""

    kind: Literal["real"] = "real"
    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"{shown(self.low)} to {shown(self.high)}{', log-uniform' if self.log else ''}"

    def suggest(self, trial: optuna.Trial, name: str) -> float:
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        return {name: value} if self.low <= value <= self.high else None


class Whole(_Frozen):
    """A whole number from low to high, uniform in its logarithm."""

    kind: Literal["whole"] = "whole"
    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} to {self.high}, log-uniform"

    def suggest(self, trial: optuna.Trial, name: str) -> int:
        return trial.suggest_int(name, self.low, self.high, log=True)

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        return {name: value} if self.low <= value <= self.high else None


class ZeroOrReal(_Frozen):
    """Zero, or a real number from low to high, uniform in its logarithm.

    Zero has no logarithm, so a parameter ``NAME_use`` says which of the two it is.
    """

    kind: Literal["zero-or-real"] = "zero-or-real"
    low: float
    high: float

    def __str__(self) -> str:
        return f"0, or {shown(self.low)} to {shown(self.high)}, log-uniform"

    def suggest(self, trial: optuna.Trial, name: str) -> float:
        if trial.suggest_categorical(name + _USE, (NONE, SOME)) == NONE:
            return 0.0
        return trial.suggest_float(name, self.low, self.high, log=True)

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        if value == 0:
            return {name + _USE: NONE}
        return {name + _USE: SOME, name: value} if self.low <= value <= self.high else None


Range = Annotated[Choice | Real | Whole | ZeroOrReal, Field(discriminator="kind")]
Space = dict[str, Range]


@dataclass(frozen=True)
class NamedSpace:
    """A space as ``--space`` gives it: its name, the range of every setting, and which of them the user wrote."""

    name: str
    ranges: Space
    written: frozenset[str] = frozenset()


SPACES: dict[str, Space] = {
    "paper": {
        "lr": Choice(values=(0.0005, 0.001, 0.005, 0.01, 0.015)),
        "dropout": Choice(values=(0.46, 0.5, 0.6)),
        "l2_weight": Choice(values=(0.0, 5e-7, 5e-8)),
        "hidden": Choice(values=(32, 40, 64)),
        "num_layers": Choice(values=(1, 2, 3)),
        "bidirectional": Choice(values=(True, False)),
        "input_size": Choice(values=INPUT_SIZES),
        "mask_ratio": Choice(values=(0.25, 0.27, 0.30)),
        "mask_variant": Choice(values=PUBLISHED_VARIANTS),
    },
    "wide": {
        "lr": Real(low=0.0005, high=0.03, log=True),
        "dropout": Real(low=0.2, high=0.7),
        "l2_weight": ZeroOrReal(low=1e-8, high=1e-4),
        "hidden": Whole(low=24, high=96),
        "num_layers": Choice(values=(1, 2, 3)),
        "bidirectional": Choice(values=(True, False)),
        "input_size": Choice(values=INPUT_SIZES),
        "mask_ratio": Real(low=0.1, high=0.6),
        "mask_variant": Choice(values=(*PUBLISHED_VARIANTS, *SHAPES)),
    },
}


def space_for(named: NamedSpace, chains: list[Chain]) -> Space:
    """The ranges of the space that change at least one of the chains.

    Raises UsageError where the user wrote a range that changes none of them.
    """
    used = frozenset[str]().union(*(chain.hyperparameters for chain in chains))
    idle = named.written - used
    if idle:
        raise UsageError(
            f"{named.name}: {', '.join(sorted(idle))} would change nothing in {' or '.join(map(str, chains))}: "
            "take it out, or search another chain too"
        )
    return {parameter: range_ for parameter, range_ in named.ranges.items() if parameter in used}


def sample(trial: optuna.Trial, space: Space, architectures: tuple[str, ...]) -> dict[str, Any]:
    """A trial's settings: its ``architecture`` and each hyperparameter that this chain has."""
    architecture = architectures[0]
    if len(architectures) > 1:
        architecture = trial.suggest_categorical(ARCHITECTURE, architectures)
    used = parse_chain(architecture).hyperparameters
    values = {name: range_.suggest(trial, name) for name, range_ in space.items() if name in used}
    return {ARCHITECTURE: architecture, **values}


def settings_of_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """The settings that a trial's parameters stand for: no ``NAME_use``, and zero where it says so."""
    zeros = {
        name.removesuffix(_USE): 0.0 for name, value in parameters.items() if name.endswith(_USE) and value == NONE
    }
    return {name: value for name, value in parameters.items() if not name.endswith(_USE)} | zeros


def start_parameters(space: Space, architectures: tuple[str, ...]) -> dict[str, Any]:
    """The parameters of a study's first trial: the first chain with the settings that are good as a rule.

    Those that the space leaves out are missing here: the sampler chooses them, as it does in the other trials.
    """
    chain = parse_chain(architectures[0])
    usual = default_settings(chain)
    parameters: dict[str, Any] = {ARCHITECTURE: architectures[0]} if len(architectures) > 1 else {}
    for name, range_ in space.items():
        if name in chain.hyperparameters:
            parameters |= range_.parameters(name, getattr(usual, name)) or {}
    return parameters


def default_settings(chain: Chain) -> Hyperparameters:
    """The settings that are good for a chain as a rule.

    Without a recurrent layer, attention at the usual learning rate loses by the middle of a training what it had
    learned in the first epochs.
    """
    recurrent = [link for link in chain.links if issubclass(BLOCKS[link.name], Recurrent)]
    if not recurrent and any(issubclass(BLOCKS[link.name], Attention) for link in chain.links):
        return Hyperparameters(lr=0.002, dropout=0.2)
    return Hyperparameters(num_layers=next((link.layers for link in recurrent if link.layers), 1))
