"""The trials whose networks were removed to save space, as the study stores them."""

from nlb_search.search.study.open_study import OpenStudy

REMOVED_KEY = "removed-networks"
"""User attribute of the study with the numbers of these trials."""


def removed_networks(study: OpenStudy) -> frozenset[int]:
    """Numbers of the trials whose networks were removed to save space."""
    return frozenset(study.study.user_attrs.get(REMOVED_KEY, ()))
