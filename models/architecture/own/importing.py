"""The only place that imports a user's module."""

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from torch import nn

from nlb_search.models.errors import OwnModelError


def import_class(module: str, name: str) -> type[nn.Module]:
    """Import the class ``name`` of ``module``, a subclass of ``nn.Module`` that is defined there.

    Raises OwnModelError if there is no such class.
    """
    loaded = _import(module)
    found = getattr(loaded, name, None)
    if found is None:
        raise OwnModelError(f"the module {module} ({loaded.__file__}) has no class {name}")
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise OwnModelError(f"{module}:{name} is not a subclass of torch.nn.Module")
    if found.__module__ != module:
        raise OwnModelError(f"{name} is defined in {found.__module__}: write {found.__module__}:{name}")
    return found


def source_file(module: str) -> Path:
    """The file of a module, which is not executed; the packages that contain it are. Raises OwnModelError if none."""
    # At the end of the path, so that a file of the working folder never hides an installed package.
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        spec = find_spec(module)
    except ModuleNotFoundError as error:
        raise _missing(module, error.name) from error
    except Exception as error:
        raise _failed(module, error) from error
    if spec is None:
        raise _missing(module, module)
    if spec.origin is None or not Path(spec.origin).is_file():
        raise OwnModelError(f"the module {module} has no source file: write the class in a .py file")
    return Path(spec.origin)


def _import(module: str) -> ModuleType:
    source_file(module)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise OwnModelError(f"{module} needs the module {error.name}, which is not installed here") from error
    except Exception as error:
        raise _failed(module, error) from error


def _missing(module: str, part: str | None) -> OwnModelError:
    missing = "" if part in (module, None) else f" (there is no {part})"
    return OwnModelError(
        f"there is no module {module}{missing}: install it, add the folder that contains it to PYTHONPATH, or run "
        "nlb-search in this folder"
    )


def _failed(module: str, error: Exception) -> OwnModelError:
    return OwnModelError(f"the module {module} cannot be imported: {type(error).__name__}: {error}")
