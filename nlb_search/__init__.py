"""The package nlb_search. Its four subpackages are links to the folders of the same names in the repository root.

This way, an installation adds only one top-level package. ``nlb_search.load_model`` loads a model that
``export-best --model`` has written.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlb_search.search.exported_models.model_folder import load_model

__all__ = ["load_model"]


def __getattr__(name: str) -> object:
    """Import ``load_model`` when it is used: it imports torch, which takes seconds."""
    if name != "load_model":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nlb_search.search.exported_models.model_folder import load_model

    return load_model
