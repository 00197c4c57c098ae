"""What a user asked for that cannot be done, said in one or two lines: what is wrong, the value, what to do."""


class SearchError(Exception):
    """The command cannot be carried out."""


class UsageError(SearchError):
    """The command was given wrongly: an option that is missing, unknown or out of its range."""
