"""Conditions on a clip's row, as `--keep "yaw < 25 and speech_share > 0.5"`: parsed, never run.

The text is parsed by `ast`; comparisons, and, or, not, columns, numbers, texts and abs() are
interpreted here, and anything else is refused.
"""

from __future__ import annotations

import ast
import math
import operator
from typing import TYPE_CHECKING

from pipeline.dataset.columns import MEASURED, TEXTS
from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_EXAMPLE = (
    'write comparisons of columns with numbers or texts, joined by and, or, not, such as "abs(yaw) '
    '< 25 and speech_share > 0.5"'
)


def parse_conditions(text: str) -> list[ast.expr]:
    """The conditions that an expression joins by `and` at its outermost, in their order.

    Args:
        text: such as `yaw < 25 and (speaker == "s1" or -5 <= pitch <= 5)`; empty for no condition.

    Raises:
        UserError: it is no such expression, or names a column that rows do not have.
    """
    if not text.strip():
        return []
    try:
        parsed = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(f'--keep "{text}" cannot be read; {_EXAMPLE}') from error
    parts = _split(parsed)
    for part in parts:
        _check(part, text)
    return parts


def join_conditions(*texts: str) -> str:
    """One expression that holds where all hold, each condition once, in a uniform spelling."""
    parts = dict.fromkeys(
        f"({ast.unparse(part)})" if isinstance(part, ast.BoolOp) else ast.unparse(part)
        for text in texts
        for part in parse_conditions(text)
    )
    return " and ".join(parts)


def failing(conditions: list[ast.expr], row: Mapping[str, Any]) -> str | None:
    """The first condition that a row fails, with the values it has, as a reason; None without one.

    A condition is passed over until the row has all of its columns. A comparison with a value that
    could not be measured (NaN) does not hold, and neither does its opposite.

    Args:
        conditions: from `parse_conditions`.
        row: what is known so far, by column.
    """
    for condition in conditions:
        names = _columns(condition)
        if not all(name in row for name in names) or _holds(condition, row):
            continue
        shown = ", ".join(f"{name} {_shown(row[name])}" for name in names)
        return f"{shown} fails {ast.unparse(condition)}"
    return None


def _split(node: ast.expr) -> list[ast.expr]:
    """The parts of an expression between its outermost ands."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return [part for value in node.values for part in _split(value)]
    return [node]


def _check(node: ast.expr, text: str) -> None:
    """Refuses what is no condition on columns."""
    match node:
        case ast.BoolOp(values=parts):
            for part in parts:
                _check(part, text)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            _check(part, text)
        case ast.Compare(left=left, ops=ops, comparators=others):
            kinds = {_kind(part, text) for part in (left, *others)}
            unknown = any(type(op) not in _OPERATORS for op in ops)
            if unknown or not _columns(node):
                raise _refusal(node, text)
            if len(kinds) > 1:
                wrong = ast.unparse(node)
                raise UserError(f'--keep "{text}" compares a text with a number: {wrong}')
        case _:
            raise _refusal(node, text)


def _kind(node: ast.expr, text: str) -> type[str | float]:
    """Whether one side of a comparison is a text or a number."""
    match node:
        case ast.Name(id=name):
            if name not in MEASURED and name not in TEXTS:
                raise UserError(
                    f'--keep "{text}" names no column by {name}; columns are '
                    f"{', '.join((*MEASURED, *TEXTS))}"
                )
            return str if name in TEXTS else float
        case ast.Constant(value=str()):
            return str
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return float
        case ast.UnaryOp(op=ast.USub(), operand=part) if _kind(part, text) is float:
            return float
        case ast.Call(func=ast.Name(id="abs"), args=[part], keywords=[]) if (
            _kind(part, text) is float
        ):
            return float
    raise _refusal(node, text)


def _holds(node: ast.expr, row: Mapping[str, Any]) -> bool | None:
    """Whether a checked condition holds; None where a value is missing and decides it."""
    match node:
        case ast.UnaryOp(operand=part):
            held = _holds(part, row)
            return None if held is None else not held
        case ast.BoolOp(op=op, values=parts):
            # Kleene's logic: `or` is decided by one True, `and` by one False, whatever is missing.
            decisive = isinstance(op, ast.Or)
            found = [_holds(part, row) for part in parts]
            if decisive in found:
                return decisive
            return None if None in found else not decisive
        case ast.Compare(left=left, ops=ops, comparators=others):
            values = [_value(part, row) for part in (left, *others)]
            if any(isinstance(value, float) and math.isnan(value) for value in values):
                return None
            pairs = zip(ops, values, values[1:], strict=False)
            return all(_OPERATORS[type(op)](a, b) for op, a, b in pairs)
    raise AssertionError(ast.dump(node))


def _value(node: ast.expr, row: Mapping[str, Any]) -> Any:
    """The value of one side of a comparison."""
    match node:
        case ast.Name(id=name):
            return row[name]
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(operand=part):
            return -_value(part, row)
        case ast.Call(args=[part]):
            return abs(_value(part, row))
    raise AssertionError(ast.dump(node))


def _columns(condition: ast.expr) -> list[str]:
    """The columns that a condition names, each once."""
    found = [node.id for node in ast.walk(condition) if isinstance(node, ast.Name)]
    return [name for name in dict.fromkeys(found) if name != "abs"]


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return repr(value)
    return "could not be measured and" if math.isnan(value) else f"{value:.4g}"


def _refusal(node: ast.expr, text: str) -> UserError:
    return UserError(f'--keep "{text}" holds {ast.unparse(node)!r}; {_EXAMPLE}')
