"""The ranges that make up a search space, and their representation as Optuna parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from optuna.trial import BaseTrial
from pydantic import BaseModel, ConfigDict, Field

from nlb_search.models.hyperparameters import shown

ARCHITECTURE = "architecture"
"""Trial parameter that names the chain, in studies with several chains."""

NONE, SOME = "none", "some"
USE = "_use"
"""Ending of the parameter that says whether a number is zero."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Choice(_Frozen):
    """One of several values. A fixed value is a choice with one value."""

    kind: Literal["choice"] = "choice"
    values: tuple[bool | int | float | str, ...]

    def __str__(self) -> str:
        return ", ".join(value if isinstance(value, str) else shown(value) for value in self.values)

    def suggest(self, trial: BaseTrial, name: str) -> Any:
        return trial.suggest_categorical(name, self.values)

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        """The trial parameters that represent ``value``, or None if it is not in the range."""
        return {name: value} if value in self.values else None


class FloatRange(_Frozen):
    """A real number from low to high, uniform or log-uniform."""

    kind: Literal["real"] = "real"
    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"{shown(self.low)} to {shown(self.high)}{', log-uniform' if self.log else ''}"

    def suggest(self, trial: BaseTrial, name: str) -> float:
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        return {name: value} if self.low <= value <= self.high else None


class IntRange(_Frozen):
    """An integer from low to high, log-uniform."""

    kind: Literal["whole"] = "whole"
    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} to {self.high}, log-uniform"

    def suggest(self, trial: BaseTrial, name: str) -> int:
        return trial.suggest_int(name, self.low, self.high, log=True)

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        return {name: value} if self.low <= value <= self.high else None


class ZeroOrFloatRange(_Frozen):
    """Zero, or a real number from low to high, log-uniform.

    Zero has no logarithm, so the parameter ``NAME_use`` says which of the two it is.
    """

    kind: Literal["zero-or-real"] = "zero-or-real"
    low: float
    high: float

    def __str__(self) -> str:
        return f"0, or {shown(self.low)} to {shown(self.high)}, log-uniform"

    def suggest(self, trial: BaseTrial, name: str) -> float:
        if trial.suggest_categorical(name + USE, (NONE, SOME)) == NONE:
            return 0.0
        return trial.suggest_float(name, self.low, self.high, log=True)

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        if value == 0:
            return {name + USE: NONE}
        return {name + USE: SOME, name: value} if self.low <= value <= self.high else None


Range = Annotated[Choice | FloatRange | IntRange | ZeroOrFloatRange, Field(discriminator="kind")]
Space = dict[str, Range]


@dataclass(frozen=True)
class NamedSpace:
    """A space given with ``--space``: its name, the range of every setting, and the names of those the user set.

    ``tables`` are those of users' models as written in the file, by the name of the class.
    """

    name: str
    ranges: Space
    written: frozenset[str] = frozenset()
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def settings_of_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Convert a trial's parameters to settings: ``NAME_use`` is dropped, and the setting is 0 where it is 'none'."""
    zeros = {name.removesuffix(USE): 0.0 for name, value in parameters.items() if name.endswith(USE) and value == NONE}
    return {name: value for name, value in parameters.items() if not name.endswith(USE)} | zeros


def settings_to_show(parameters: dict[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's settings, with the chain that was trained, which is one of its user attributes, if it is known."""
    chain = {ARCHITECTURE: attributes[ARCHITECTURE]} if ARCHITECTURE in attributes else {}
    return chain | {name: value for name, value in settings_of_parameters(parameters).items() if name not in chain}
