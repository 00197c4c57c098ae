"""The hyperparameters of a user's model, from the fields of its class ``Settings``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from nlb_search.models.errors import OwnModelError
from nlb_search.models.hyperparameters import Allowed, shown

Value = bool | int | float | str

_KINDS: dict[type[Value], str] = {bool: "true or false", int: "an integer", float: "a number", str: "a text"}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


@dataclass(frozen=True)
class OwnSetting:
    """A hyperparameter of a user's model: its default, its valid values, and what the class says to search.

    ``choices`` are the values of a ``Literal`` or bool, ``low`` and ``high`` the bounds ``ge`` and ``le`` of a number;
    None where there are none.
    """

    default: Value
    allowed: Allowed
    choices: tuple[Value, ...] | None
    low: int | float | None
    high: int | float | None


def read_settings(owner: type) -> dict[str, OwnSetting]:
    """The hyperparameters of the class ``owner``, by name. Raises OwnModelError if its ``Settings`` is not valid."""
    return {
        name: _setting(f"{owner.__name__}.{name}", field) for name, field in settings_class(owner).model_fields.items()
    }


def settings_class(owner: type) -> type[BaseModel]:
    """The class ``Settings`` of a user's model. Raises OwnModelError unless it is a pydantic model."""
    settings = getattr(owner, "Settings", None)
    if not (isinstance(settings, type) and issubclass(settings, BaseModel)):
        raise OwnModelError(
            f"{owner.__name__} has no Settings: write a class Settings(pydantic.BaseModel) in it, with a field for "
            "each hyperparameter; it is empty if there are none"
        )
    return settings


def make_settings(owner: type, values: Mapping[str, Value]) -> BaseModel:
    """The ``Settings`` with these values, and defaults for the others. Raises OwnModelError if they are not valid."""
    known = settings_class(owner)
    for name in values:
        if name not in known.model_fields:
            raise OwnModelError(
                f"{owner.__name__} has no hyperparameter '{name}': choose from {', '.join(known.model_fields)}"
            )
    try:
        return known(**values)
    except ValidationError as error:
        raise OwnModelError(f"the settings of {owner.__name__} are not valid: {_first(error)}") from error


def _setting(name: str, field: FieldInfo) -> OwnSetting:
    choices = _choices(field)
    kind = field.annotation if choices is None else type(choices[0])
    if kind not in _KINDS or (choices is not None and {type(choice) for choice in choices} != {kind}):
        raise OwnModelError(
            f"the hyperparameter {name} has the type {field.annotation}: choose bool, int, float, str, or a Literal of "
            "values of one of these types"
        )
    if field.is_required():
        raise OwnModelError(f"the hyperparameter {name} has no default, which the first trial uses: write one")
    bounds = {bound: getattr(item, bound) for item in field.metadata for bound in _BOUNDS if hasattr(item, bound)}
    limits = " and ".join(f"{words} {shown(bounds[bound])}" for bound, words in _BOUNDS.items() if bound in bounds)
    words = f"one of {', '.join(map(shown, choices))}" if choices and kind is not bool else f"{_KINDS[kind]} {limits}"
    allowed = Allowed(kind, words.strip(), _validity(field))
    try:
        default = allowed.read(field.get_default(call_default_factory=True))
    except ValueError as error:
        raise OwnModelError(f"the default of the hyperparameter {name} {error}") from error
    return OwnSetting(default, allowed, choices, bounds.get("ge"), bounds.get("le"))


def _choices(field: FieldInfo) -> tuple[Any, ...] | None:
    if field.annotation is bool:
        return (True, False)
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else None


def _validity(field: FieldInfo) -> Any:
    """A function that says whether a value is valid for the field."""
    annotated: Any = Annotated[field.annotation, field]
    adapter = TypeAdapter(annotated)

    def holds(value: Any) -> bool:
        try:
            adapter.validate_python(value)
        except ValidationError:
            return False
        return True

    return holds


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'together'}: {first['msg']}"
