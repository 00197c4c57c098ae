"""What goes wrong with a model, said to the person who can mend it."""


class ChainError(ValueError):
    """An architecture's text that is not a chain; the message shows the place in it."""


class InterruptedTrainingError(Exception):
    """Training was asked to end in the middle of an epoch; its state is of no use."""


class DivergedError(ArithmeticError):
    """Training left the finite numbers; the message gives the epoch, the step and the value."""
