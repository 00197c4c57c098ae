"""Errors of a model or its training, with messages for the user who can fix them."""


class ArchitectureError(ValueError):
    """An architecture cannot be used."""


class ChainError(ArchitectureError):
    """The text of an architecture is not a valid chain. The message marks the position of the error."""


class OwnModelError(ArchitectureError):
    """A user's model cannot be imported, or is not a valid model. The message names the class."""


class NotCausalError(ValueError):
    """A network reads later bins, so it cannot predict a bin before they are known. The message names the block."""


class InterruptedTrainingError(Exception):
    """Training was interrupted in the middle of an epoch. Its state must not be used."""


class DivergedError(ArithmeticError):
    """A loss or score is not finite. The message gives the epoch, the step and the value."""
