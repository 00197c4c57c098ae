"""A user's model as an architecture: ``mylab.models:MyNet``, the module to import and the class in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from nlb_search.models.architecture.heads import HEADS, Head
from nlb_search.models.architecture.named_chains import SEPARATOR
from nlb_search.models.architecture.own.importing import import_class
from nlb_search.models.architecture.own.settings import OwnSetting, read_settings
from nlb_search.models.errors import OwnModelError
from nlb_search.models.hyperparameters import TRAINING

_TEXT = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")


@dataclass(frozen=True)
class OwnModel:
    """A class of the user, which is imported when its network or its settings are needed.

    Its hyperparameters are named ``MyNet.NAME`` in the study, so that models and chains share no name.
    """

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}{SEPARATOR}{self.name}"

    @property
    def head(self) -> Head:
        """The head that converts log-rates to rates."""
        return HEADS["exp"]

    def uses(self, hyperparameter: str) -> bool:
        """Whether the hyperparameter affects the model or its training. The class is not imported."""
        return hyperparameter in TRAINING or hyperparameter.startswith(self.prefix)

    @property
    def prefix(self) -> str:
        """What the names of its own hyperparameters begin with in the study."""
        return f"{self.name}."

    def imported(self) -> type[nn.Module]:
        """The class. Raises OwnModelError if it cannot be imported."""
        return import_class(self.module, self.name)

    def settings(self) -> Mapping[str, OwnSetting]:
        """Its own hyperparameters by name in the study. Raises OwnModelError if the class is not valid."""
        return {f"{self.prefix}{name}": setting for name, setting in read_settings(self.imported()).items()}


def parse_own_model(text: str) -> OwnModel:
    """Parse ``MODULE:CLASS``. Raises OwnModelError if it is not such a text."""
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise OwnModelError(
            f"'{text}' is not a model: write MODULE:CLASS, such as mylab.models:MyNet for the class MyNet "
            "of the module mylab.models, not the path of a file"
        )
    return OwnModel(found["module"], found["name"])
