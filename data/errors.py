"""What goes wrong with a recording, said to the person who can mend it."""


class DataError(Exception):
    """A recording that is absent, damaged, of another dataset, or outside what the benchmark allows.

    The message is one or two lines: what is wrong, with the value, and what to do.
    """
