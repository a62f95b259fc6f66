"""Expressions over the fields of an item and of the item that asks, as `where` and `boost` take.

    price <= 1.5 * seed.price and brand != seed.brand and stock > 0

Python's own parser reads them. Only the nodes named here are accepted, and each becomes a closure
over the items of a list: Python never evaluates the text. A field that an item lacks is `null`: it
equals nothing but `null`, no order holds for it, and a sum or product with it is `null`.
"""

import ast
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

from recommender.serving.field_columns import FieldColumns, Fields

MAX_CHARACTERS, MAX_NODES, MAX_DEPTH = 500, 300, 40
SINGLE_EQUALS = re.compile("(?<![=!<>:])=(?!=)")
KEPT = 256
"""How many compiled expressions a process keeps."""

OfItems = Callable[[FieldColumns], Sequence[Any]]
"""The values of an expression, given the fields of each item."""


class Constant(NamedTuple):
    """The value of an expression that is the same for all items."""

    value: Any


Bound = Constant | OfItems
Column = Sequence[Any]
Bind = Callable[[Fields], Bound]
"""An expression, given the fields of the seed; what only these decide is computed once."""

_CONSTANTS = {"true": True, "false": False, "null": None, "True": True, "False": False}
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    **{ast.Add: operator.add, ast.Sub: operator.sub},
    **{ast.Mult: operator.mul, ast.Div: operator.truediv},
}
_NEGATED = operator.sub
_NUMBERS = frozenset({int, float})
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class ExpressionError(ValueError):
    """An expression that cannot be read: what is wrong with it, and where."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of an item; `clauses` are the parts that `and` joins, as they were written.

    `names` are the fields of the item that it reads.
    """

    clauses: tuple[str, ...]
    parts: tuple[Bind, ...]
    names: frozenset[str]

    def of(self, seed: Fields) -> Callable[[FieldColumns], list[str]]:
        """Given the seed: the first clause that does not hold of each item, empty where all do."""
        bound = [
            (clause, _function(part(seed)))
            for clause, part in zip(self.clauses, self.parts, strict=True)
        ]

        def failed(items: FieldColumns) -> list[str]:
            found = [""] * len(items)
            for clause, holds in reversed(bound):
                held = holds(items)
                if not all(held):
                    found = [
                        before if one else clause for before, one in zip(found, held, strict=True)
                    ]
            return found

        return failed


@dataclass(frozen=True, slots=True)
class Value:
    """A value of an item; `names` are the fields of the item that it reads."""

    part: Bind
    names: frozenset[str]

    def of(self, seed: Fields) -> OfItems:
        """Given the seed: the values of items."""
        return _function(self.part(seed))


@lru_cache(KEPT)
def condition(text: str) -> Condition:
    """Compile a condition. Raises: ExpressionError."""
    text = text.strip()
    parsed = _parsed(text)
    joined = isinstance(parsed, ast.BoolOp) and isinstance(parsed.op, ast.And)
    parts: Sequence[ast.expr] = parsed.values if joined else [parsed]  # type: ignore[attr-defined]
    return Condition(
        tuple([ast.get_source_segment(text, part) or text for part in parts]),
        tuple([_made(part) for part in parts]),
        _names(parsed),
    )


@lru_cache(KEPT)
def value(text: str) -> Value:
    """Compile an expression whose value is wanted. Raises: ExpressionError."""
    parsed = _parsed(text.strip())
    return Value(_made(parsed), _names(parsed))


def _function(bound: Bound) -> OfItems:
    if isinstance(bound, Constant):
        constant = [bound.value]
        return lambda items: constant * len(items)
    return bound


def _names(parsed: ast.expr) -> frozenset[str]:
    """The fields that an expression may read, whether of the item or of the seed."""
    nodes = list(ast.walk(parsed))
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    quoted = {node.slice.value for node in nodes if _is_quoted(node)}  # type: ignore[attr-defined]
    return frozenset(named | quoted)


def _is_quoted(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)


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


def _made(node: ast.expr) -> Bind:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return _constant(node.value)
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return _field(node)
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            made = [_made(part) for part in parts]
            return _computed(lambda *values: values, made) if made else _constant(())
        case ast.BoolOp(op=op, values=parts):
            return _joined(op, [_made(part) for part in parts])
        case ast.UnaryOp(op=ast.Not() | ast.USub() as op, operand=operand):
            change = operator.not_ if isinstance(op, ast.Not) else partial(_arithmetic, _NEGATED, 0)
            return _computed(change, [_made(operand)])
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            apply = partial(_arithmetic, _ARITHMETIC[type(op)])
            return _computed(apply, [_made(left), _made(right)])
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _comparison(node, [left, *others], ops)
    raise _refused(node, "use fields, numbers, texts, + - * /, comparisons, in, and, or, not")


def _field(node: ast.expr) -> Bind:
    match node:
        case ast.Name(id=name) if name in _CONSTANTS:
            return _constant(_CONSTANTS[name])
        case ast.Name(id="seed"):
            raise _refused(node, "name a field of the seed, such as seed.price")
        case (
            ast.Name(id=name)
            | ast.Subscript(value=ast.Name(id="item"), slice=ast.Constant(value=str(name)))
        ):
            return lambda _: lambda items: items.column(name)
        case (
            ast.Attribute(value=ast.Name(id="seed"), attr=name)
            | ast.Subscript(value=ast.Name(id="seed"), slice=ast.Constant(value=str(name)))
        ):
            return lambda seed: Constant(seed.get(name))
    raise _refused(node, "use fields of the item, and those of the seed, such as seed.price")


def _constant(given: object) -> Bind:
    if isinstance(given, int) and not isinstance(given, bool):
        try:
            given = float(given)
        except OverflowError as error:
            raise ExpressionError("a number is too large") from error
    constant = Constant(given)
    return lambda _: constant


def _computed(apply: Callable[..., Any], parts: Sequence[Bind]) -> Bind:
    """What a function makes of the values of its parts, item by item."""
    return _over_items(lambda *columns: list(map(apply, *columns)), parts)


def _over_items(apply: Callable[..., Sequence[Any]], parts: Sequence[Bind]) -> Bind:
    """What a function makes of the columns of its parts, which have a value for each item."""

    def bind(seed: Fields) -> Bound:
        bound = [part(seed) for part in parts]
        constants = [one.value for one in bound if isinstance(one, Constant)]
        if len(constants) == len(bound):
            return Constant(apply(*[[value] for value in constants])[0])
        functions = [_function(one) for one in bound]
        return lambda items: apply(*[one(items) for one in functions])

    return bind


def _joined(op: ast.boolop, parts: Sequence[Bind]) -> Bind:
    every = all if isinstance(op, ast.And) else any
    return _computed(lambda *values: every(values), parts)


def _comparison(node: ast.expr, sides: Sequence[ast.expr], ops: Sequence[ast.cmpop]) -> Bind:
    made = [_made(side) for side in sides]
    pairs = [
        _over_items(_test(node, op), [left, right])
        for op, left, right in zip(ops, made, made[1:], strict=False)
    ]
    return pairs[0] if len(pairs) == 1 else _joined(ast.And(), pairs)


def _test(node: ast.expr, op: ast.cmpop) -> Callable[[Column, Column], list[bool]]:
    """A comparison of two columns."""
    match op:
        case ast.Eq():
            return lambda left, right: list(map(operator.eq, left, right))
        case ast.NotEq():
            return lambda left, right: list(map(operator.ne, left, right))
        case ast.In():
            return lambda left, right: list(map(_contains, left, right))
        case ast.NotIn():
            return lambda left, right: [not held for held in map(_contains, left, right)]
    if type(op) not in _ORDER:
        raise _refused(node, "compare with == and !=")
    order = _ORDER[type(op)]

    def ordered(left: Column, right: Column) -> list[bool]:
        if {*map(type, left), *map(type, right)} <= _NUMBERS:
            return list(map(order, left, right))
        return [_are_ordered(*pair) and order(*pair) for pair in zip(left, right, strict=True)]

    return ordered


def _are_ordered(one: object, other: object) -> bool:
    """Whether both are numbers, or both are texts."""
    return (_is_number(one) and _is_number(other)) or (type(one) is str is type(other))


def _contains(one: Any, other: Any) -> bool:  # noqa: ANN401 - values of any field
    if isinstance(other, str):
        return isinstance(one, str) and one in other
    return isinstance(other, list | tuple) and one in other


def _arithmetic(apply: Callable[[float, float], float], one: Any, other: Any) -> float | None:  # noqa: ANN401
    if not (_is_number(one) and _is_number(other)):
        return None
    try:
        return apply(one, other)
    except (ZeroDivisionError, OverflowError):
        return None


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _refused(node: ast.expr, remedy: str) -> ExpressionError:
    return ExpressionError(f"character {node.col_offset + 1}: {remedy}")
