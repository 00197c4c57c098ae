"""What goes wrong with a model, said to the person who can mend it."""


class ChainError(ValueError):
    """An architecture's text that is not a chain; the message shows the place in it."""


class DivergedError(ArithmeticError):
    """Training left the finite numbers; the message gives the epoch, the step and the value."""
