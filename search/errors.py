"""Errors for users. A message has one or two lines: what is wrong, with the value, and what to do."""


class SearchError(Exception):
    """The command failed."""


class UsageError(SearchError):
    """The command was used incorrectly: an option is missing, unknown or out of range."""
