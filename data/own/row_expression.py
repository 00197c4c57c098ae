"""Selecting rows of a table by an expression over its columns, such as ``quality == 'good' and depth > 300``.

The expression is parsed by Python's ``ast`` and evaluated here: only comparisons of columns with constants, ``in``,
``and``, ``or`` and ``not`` are known. (``pandas.DataFrame.query`` also allows calls and attributes, and settings may
come from a submission that somebody else wrote.)
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_HOW = "compare columns with constants, as in \"quality == 'good' and depth > 300\" or \"region in ['M1', 'PMd']\""


@dataclass(frozen=True)
class RowExpression:
    """A valid expression. ``names`` are the columns that it reads."""

    text: str
    tree: ast.expr
    names: tuple[str, ...]

    def rows(self, columns: Mapping[str, Column]) -> BoolArray:
        """Whether the expression is true in each row of ``columns``, arrays with one value per row.

        A column of object arrays has several values per row, for ``'value' in column``. Raises ValueError if values
        cannot be compared.
        """
        return _truth(self.tree, columns)


def parse_expression(text: str) -> RowExpression:
    """Parse an expression. Raises ValueError unless it consists of comparisons, ``and``, ``or`` and ``not``."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"not a valid expression: {_HOW}") from error
    _check_truth(tree)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return RowExpression(text, tree, tuple(sorted(names)))


def _check_truth(node: ast.expr) -> None:
    match node:
        case ast.BoolOp(values=parts):
            for part in parts:
                _check_truth(part)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            _check_truth(part)
        case ast.Compare(left=left, ops=ops, comparators=others):
            for operand in (left, *others):
                _check_operand(operand)
            for op, right in zip(ops, others, strict=True):
                is_in = isinstance(op, ast.In | ast.NotIn)
                if not (is_in or type(op) in _COMPARE) or (isinstance(right, ast.Constant) and is_in):
                    raise ValueError(f"'{ast.unparse(node)}' is not allowed: {_HOW}")
                if isinstance(right, ast.List | ast.Tuple) and not is_in:
                    raise ValueError(f"'{ast.unparse(node)}' is not allowed: use in for a list of values")
        case ast.Name():
            pass
        case _:
            raise ValueError(f"'{ast.unparse(node)}' is not allowed: {_HOW}")


def _check_operand(node: ast.expr) -> None:
    match node:
        case ast.Name() | ast.Constant(value=str() | bool() | int() | float()):
            pass
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            pass
        case ast.List(elts=items) | ast.Tuple(elts=items) if items:
            for item in items:
                if isinstance(item, ast.Name | ast.List | ast.Tuple):
                    raise ValueError(f"'{ast.unparse(node)}' must be a list of constants")
                _check_operand(item)
        case _:
            raise ValueError(f"'{ast.unparse(node)}' is not allowed: {_HOW}")


def _truth(node: ast.expr, columns: Mapping[str, Column]) -> BoolArray:
    match node:
        case ast.BoolOp(op=op, values=parts):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return np.asarray(join.reduce([_truth(part, columns) for part in parts]))
        case ast.UnaryOp(operand=part):
            return ~_truth(part, columns)
        case ast.Compare(left=left, ops=ops, comparators=others):
            sides = [left, *others]
            each = [_compared(op, *pair, columns) for op, pair in zip(ops, pairwise(sides), strict=True)]
            return np.asarray(np.logical_and.reduce(each))
        case ast.Name(id=name):
            if not np.isin(columns[name], (0, 1)).all():
                raise ValueError(f"column '{name}' is not boolean: compare it with a value")
            return columns[name].astype(bool)
    raise AssertionError(ast.dump(node))


def _compared(op: ast.cmpop, left: ast.expr, right: ast.expr, columns: Mapping[str, Column]) -> BoolArray:
    n_rows = len(next(iter(columns.values()), ()))
    one, other = _value(left, columns), _value(right, columns)
    if isinstance(op, ast.In | ast.NotIn):
        if isinstance(right, ast.Name) and other.dtype != object:
            raise ValueError(f"column '{right.id}' has one value per row: use == instead of in")
        inside = [_is_in(item, other[row] if other.dtype == object else other) for row, item in _rows(one, n_rows)]
        return np.asarray(inside, bool) ^ isinstance(op, ast.NotIn)
    for side, value in ((left, one), (right, other)):
        if value.dtype == object:
            raise ValueError(f"column '{ast.unparse(side)}' has several values per row: write 'value' in the column")
    if (one.dtype.kind == "U") != (other.dtype.kind == "U"):
        texts, numbers = (left, right) if one.dtype.kind == "U" else (right, left)
        raise ValueError(f"{ast.unparse(texts)} is text and {ast.unparse(numbers)} is a number")
    return np.broadcast_to(np.asarray(_COMPARE[type(op)](one, other), bool), n_rows)


def _rows(values: Column, n_rows: int) -> list[tuple[int, Any]]:
    return list(enumerate(np.broadcast_to(values, n_rows)))


def _is_in(item: Any, values: Column) -> bool:
    return any(item == value for value in values)


def _value(node: ast.expr, columns: Mapping[str, Column]) -> Column:
    """A column, or a constant or list of constants as an array."""
    if isinstance(node, ast.Name):
        return columns[node.id]
    constant = ast.literal_eval(node)
    if isinstance(constant, list | tuple) and len({isinstance(item, str) for item in constant}) > 1:
        raise ValueError(f"{ast.unparse(node)} has text and numbers")
    return np.asarray(constant)
