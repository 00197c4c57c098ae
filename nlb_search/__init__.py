"""Hyperparameter search for models of neural population activity: the public interface for notebooks and programs.

``import nlb_search`` is fast: each name below is imported when it is used. The four subpackages are links to the
folders of the same names in the repository root, so that an installation adds only one top-level package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nlb_search.search.exported_models.model_folder import load_model
    from nlb_search.search.python_interface.evaluation import evaluate
    from nlb_search.search.python_interface.recordings import OpenedRecording, from_arrays, open_recording
    from nlb_search.search.python_interface.study import Study, create_study, load_study

    __version__: str

__all__ = [
    "OpenedRecording",
    "Study",
    "__version__",
    "create_study",
    "evaluate",
    "from_arrays",
    "load_model",
    "load_study",
    "open_recording",
]

_MODULES = {
    "load_model": "nlb_search.search.exported_models.model_folder",
    "evaluate": "nlb_search.search.python_interface.evaluation",
    "OpenedRecording": "nlb_search.search.python_interface.recordings",
    "from_arrays": "nlb_search.search.python_interface.recordings",
    "open_recording": "nlb_search.search.python_interface.recordings",
    "Study": "nlb_search.search.python_interface.study",
    "create_study": "nlb_search.search.python_interface.study",
    "load_study": "nlb_search.search.python_interface.study",
}


def __getattr__(name: str) -> Any:
    """Import a name of the public interface when it is used: torch alone takes seconds."""
    if name == "__version__":
        from importlib.metadata import version

        return version("nlb-search")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
