"""Conditions on a clip's row, as `--keep "yaw < 25 and speech_share > 0.5"`: parsed, never run.

The text is parsed by `ast`; comparisons, and, or, not, columns, numbers, texts and abs() are
interpreted here, and anything else is refused.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.dataset.columns import MEASURED, TEXTS
from pipeline.errors import UserError

_OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def parse_conditions(text: str) -> list[ast.expr]:
    """The conditions that an expression joins by `and` at its outermost, in their order.

    Such as `yaw < 25 and (speaker == "s1" or -5 <= pitch <= 5)`; none in an empty text.
    """
    if not text.strip():
        return []
    try:
        parts = _split(ast.parse(text.strip(), mode="eval").body)
        for part in parts:
            _check(part)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = "" if isinstance(error, SyntaxError) else f" ({error})"
        raise UserError(
            f'--keep "{text}" cannot be read{reason}; write comparisons of columns with numbers or '
            'texts, joined by and, or, not, such as "abs(yaw) < 25 and speech_share > 0.5"'
        ) from error
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

    A condition is passed over until the row has all of its columns. One on a value that could not
    be measured (NaN) fails.
    """
    for condition in conditions:
        names = _columns(condition)
        if any(row.get(name) is None for name in names):
            continue
        values = {name: row[name] for name in names}
        missing = [k for k, v in values.items() if k not in TEXTS and math.isnan(v)]
        if missing:
            return f"{missing[0]} could not be measured, and {ast.unparse(condition)} is asked"
        if not _value(condition, values):
            shown = (f"{k} {v!r}" if k in TEXTS else f"{k} {v:.4g}" for k, v in values.items())
            return f"{', '.join(shown)} fails {ast.unparse(condition)}"
    return None


def _split(node: ast.expr) -> list[ast.expr]:
    """The parts of an expression between its outermost ands."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return [part for value in node.values for part in _split(value)]
    return [node]


def _check(part: ast.expr) -> None:
    if _type_of(part) is not bool or not _columns(part):
        raise ValueError(f"{ast.unparse(part)} compares no column with anything")


def _type_of(node: ast.expr) -> type[str | float | bool]:
    """What an expression is: bool for a condition; a ValueError names what none is made of."""
    kind: type[str | float | bool] | None = None
    match node:
        case ast.BoolOp(values=parts) if {_type_of(part) for part in parts} == {bool}:
            kind = bool
        case ast.UnaryOp(op=ast.Not(), operand=part) if _type_of(part) is bool:
            kind = bool
        case ast.Compare(left=left, ops=ops, comparators=others):
            kinds = {_type_of(part) for part in (left, *others)}
            known = all(type(op) in _OPERATORS for op in ops)
            kind = bool if known and kinds in ({str}, {float}) else None
        case ast.Name(id=name):
            if name not in (columns := (*MEASURED, *TEXTS)):
                raise ValueError(f"there is no column {name}; columns are {', '.join(columns)}")
            kind = str if name in TEXTS else float
        case ast.Constant(value=str()):
            kind = str
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            kind = float
        case (
            ast.UnaryOp(op=ast.USub(), operand=part)
            | ast.Call(func=ast.Name(id="abs"), args=[part], keywords=[])
        ) if _type_of(part) is float:
            kind = float
    if kind is None:
        raise ValueError(f"in it is {ast.unparse(node)}")
    return kind


def _value(node: ast.expr, row: Mapping[str, Any]) -> Any:
    """The value of an expression that `_type_of` accepted."""
    match node:
        case ast.BoolOp(op=op, values=parts):
            join = any if isinstance(op, ast.Or) else all
            return join(_value(part, row) for part in parts)
        case ast.UnaryOp(op=op, operand=part):
            value = _value(part, row)
            return not value if isinstance(op, ast.Not) else -value
        case ast.Compare(left=left, ops=ops, comparators=others):
            values = [_value(part, row) for part in (left, *others)]
            pairs = zip(ops, values, values[1:], strict=False)
            return all(_OPERATORS[type(op)](a, b) for op, a, b in pairs)
        case ast.Name(id=name):
            return row[name]
        case ast.Constant(value=constant):
            return constant
        case ast.Call(args=[part]):
            return abs(_value(part, row))
    raise AssertionError(ast.dump(node))


def _columns(condition: ast.expr) -> list[str]:
    """The columns that a condition names, each once."""
    found = [node.id for node in ast.walk(condition) if isinstance(node, ast.Name)]
    return [name for name in dict.fromkeys(found) if name != "abs"]
