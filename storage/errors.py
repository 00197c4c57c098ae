"""What goes wrong with the database and the files beside it, said to the person who can mend it."""


class StorageError(Exception):
    """A storage that cannot be opened, a study that is not there, a file that cannot be kept.

    The message is one or two lines, without a password: what is wrong, with the value, and what to do.
    """


class LostTrialError(Exception):
    """Somebody else finished or took over the trial that this worker held: stop training it and keep nothing."""
