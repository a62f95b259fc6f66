"""Expressions over the fields of an item and of the item that asks, as `where` and `boost` take.

    price <= 1.5 * seed.price and brand != seed.brand and stock > 0

Python's own parser reads them; only the nodes named here are accepted, and each becomes a closure,
so that nothing of the text is ever evaluated by Python. A field that an item lacks is `null`: it
equals nothing but `null`, no comparison of order holds for it, and a sum or product with it is
`null`.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MAX_CHARACTERS, MAX_NODES, MAX_DEPTH = 500, 300, 40
SINGLE_EQUALS = re.compile("(?<![=!<>:])=(?!=)")
KEPT = 256
"""How many compiled expressions a process keeps."""

Fields = Mapping[str, Any]
"""Values by name: text, number, truth value, list of texts, or None."""
Evaluate = Callable[[Fields, Fields], Any]
"""The value of an expression, given the fields of the item and those of the seed."""

_CONSTANTS = {"true": True, "false": False, "null": None, "True": True, "False": False}
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class ExpressionError(ValueError):
    """An expression that cannot be read: what is wrong with it, and where."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One part of a condition, as it was written."""

    text: str
    holds: Evaluate


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of an item; `clauses` are the parts that `and` joins."""

    clauses: tuple[Clause, ...]

    def failed(self, item: Fields, seed: Fields) -> str:
        """The first clause that does not hold, empty where all do."""
        for clause in self.clauses:
            if not clause.holds(item, seed):
                return clause.text
        return ""


@lru_cache(KEPT)
def condition(text: str) -> Condition:
    """Compile a condition. Raises: ExpressionError."""
    text = text.strip()
    parsed = _parsed(text)
    joined = isinstance(parsed, ast.BoolOp) and isinstance(parsed.op, ast.And)
    parts: Sequence[ast.expr] = parsed.values if joined else [parsed]  # type: ignore[attr-defined]
    return Condition(
        tuple([Clause(ast.get_source_segment(text, part) or text, _made(part)) for part in parts])
    )


@lru_cache(KEPT)
def value(text: str) -> Evaluate:
    """Compile an expression whose value is wanted. Raises: ExpressionError."""
    return _made(_parsed(text.strip()))


def _parsed(text: str) -> ast.expr:
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"{len(text)} characters: give at most {MAX_CHARACTERS}")
    if not text.isprintable() or "\\" in text:
        raise ExpressionError("give one line of text without backslashes")
    try:
        parsed = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        hint = "; to compare, write ==" if SINGLE_EQUALS.search(text) else ""
        raise ExpressionError(f"character {error.offset or 0}: {error.msg}{hint}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError("cannot be read; write it shorter") from error
    _require_small(parsed)
    return parsed


def _require_small(parsed: ast.expr) -> None:
    level: list[ast.AST] = [parsed]
    nodes = depth = 0
    while level:
        nodes, depth = nodes + len(level), depth + 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise ExpressionError("too long or nested too deeply; write it shorter")
        level = [child for node in level for child in ast.iter_child_nodes(node)]


def _made(node: ast.expr) -> Evaluate:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return _constant(node.value)
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return _field(node)
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            made = [_made(part) for part in parts]
            return lambda item, seed: [one(item, seed) for one in made]
        case ast.BoolOp(op=op, values=parts):
            return _joined(op, [_made(part) for part in parts])
        case ast.UnaryOp(op=ast.Not() | ast.USub() as op, operand=operand):
            return _changed(op, _made(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _arithmetic(_ARITHMETIC[type(op)], _made(left), _made(right))
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _comparison(node, [left, *others], ops)
    raise _refused(node, "use fields, numbers, texts, + - * /, comparisons, in, and, or, not")


def _field(node: ast.expr) -> Evaluate:
    match node:
        case ast.Name(id=name) if name in _CONSTANTS:
            return _constant(_CONSTANTS[name])
        case ast.Name(id="seed"):
            raise _refused(node, "name a field of the seed, such as seed.price")
        case (
            ast.Name(id=name)
            | ast.Subscript(value=ast.Name(id="item"), slice=ast.Constant(value=str(name)))
        ):
            return lambda item, _: item.get(name)
        case (
            ast.Attribute(value=ast.Name(id="seed"), attr=name)
            | ast.Subscript(value=ast.Name(id="seed"), slice=ast.Constant(value=str(name)))
        ):
            return lambda _, seed: seed.get(name)
    raise _refused(node, "use fields of the item, and those of the seed, such as seed.price")


def _changed(op: ast.Not | ast.USub, part: Evaluate) -> Evaluate:
    if isinstance(op, ast.Not):
        return lambda item, seed: not part(item, seed)
    return _arithmetic(operator.sub, _constant(0.0), part)


def _joined(op: ast.boolop, parts: Sequence[Evaluate]) -> Evaluate:
    if isinstance(op, ast.And):
        return lambda item, seed: all(one(item, seed) for one in parts)
    return lambda item, seed: any(one(item, seed) for one in parts)


def _constant(given: object) -> Evaluate:
    if isinstance(given, int) and not isinstance(given, bool):
        try:
            given = float(given)
        except OverflowError as error:
            raise ExpressionError("a number is too large") from error
    return lambda _item, _seed: given


def _arithmetic(
    apply: Callable[[float, float], float], left: Evaluate, right: Evaluate
) -> Evaluate:
    def computed(item: Fields, seed: Fields) -> float | None:
        one, other = left(item, seed), right(item, seed)
        if not (_is_number(one) and _is_number(other)):
            return None
        try:
            return apply(one, other)
        except (ZeroDivisionError, OverflowError):
            return None

    return computed


def _comparison(node: ast.expr, sides: Sequence[ast.expr], ops: Sequence[ast.cmpop]) -> Evaluate:
    made = [_made(side) for side in sides]
    tests = [_test(node, op) for op in ops]

    def compared(item: Fields, seed: Fields) -> bool:
        values = [one(item, seed) for one in made]
        return all(
            test(one, other) for test, one, other in zip(tests, values, values[1:], strict=False)
        )

    return compared


def _test(node: ast.expr, op: ast.cmpop) -> Callable[[Any, Any], bool]:
    match op:
        case ast.Eq():
            return operator.eq
        case ast.NotEq():
            return operator.ne
        case ast.In():
            return _contains
        case ast.NotIn():
            return lambda one, other: not _contains(one, other)
    if type(op) not in _ORDER:
        raise _refused(node, "compare with == and !=")
    order = _ORDER[type(op)]

    def ordered(one: Any, other: Any) -> bool:  # noqa: ANN401 - values of any field
        alike = (_is_number(one) and _is_number(other)) or (
            isinstance(one, str) and isinstance(other, str)
        )
        return alike and order(one, other)

    return ordered


def _contains(one: Any, other: Any) -> bool:  # noqa: ANN401 - values of any field
    if isinstance(other, str):
        return isinstance(one, str) and one in other
    return isinstance(other, list | tuple) and one in other


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and not math.isnan(given)


def _refused(node: ast.expr, remedy: str) -> ExpressionError:
    return ExpressionError(f"character {node.col_offset + 1}: {remedy}")
