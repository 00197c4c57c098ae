"""Errors of the database and the checkpoint files, with messages for the user who can fix them."""


class StorageError(Exception):
    """A storage cannot be opened, a study does not exist, or a file cannot be written.

    The message is one or two lines that say what is wrong, with the value, and what to do. It never holds a password.
    """


class InvalidNameError(StorageError):
    """A text cannot be the name of a study."""


class DeletedStudyError(StorageError):
    """The study was deleted, or replaced by another one of its name, while it was in use: there is nothing to save."""


class LostTrialError(Exception):
    """Another process finished or took over this worker's trial: stop training it and discard the result."""
