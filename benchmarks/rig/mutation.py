"""Small changes to a source that a test ought to notice: a sign, a comparison, a number, a condition."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

SWAPPED: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or,
    ast.Or: ast.And,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A source with one change: at this line, an expression `was` and now is `becomes`."""

    line: int
    was: str
    becomes: str
    source: str

    def __str__(self) -> str:
        return f"{self.was} -> {self.becomes}"


def changed(node: ast.AST) -> str | None:
    """The expression with one change at its top; None where there is none to make."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in SWAPPED:
            return f"({ast.unparse(ast.BinOp(left, SWAPPED[type(op)](), right))})"
        case ast.BoolOp(op, values):
            return f"({ast.unparse(ast.BoolOp(SWAPPED[type(op)](), values))})"
        case ast.Compare(left, [op, *more], others) if type(op) in SWAPPED:
            return f"({ast.unparse(ast.Compare(left, [SWAPPED[type(op)](), *more], others))})"
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            return f"({ast.unparse(operand)})"
        case ast.Constant(bool(value)):
            return str(not value)
        case ast.Constant(int(value) | float(value)):
            return str(value + 1)
    return None


def changeable(node: ast.AST) -> Iterator[ast.AST]:
    """All that computes, from the top down: no annotation, no words of an error."""
    left_out = {"annotation", "returns"}
    if isinstance(node, ast.Raise | ast.JoinedStr):
        return
    yield node
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if name not in left_out and isinstance(child, ast.AST):
                yield from changeable(child)


def mutants(source: str) -> list[Mutant]:
    """Every one of them, in the order of the source."""
    lines, found = source.encode().splitlines(keepends=True), []
    starts = [sum(map(len, lines[:k])) for k in range(len(lines))]
    for node in changeable(ast.parse(source)):
        if (becomes := changed(node)) is not None:
            begin, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
            text = source.encode()
            after = (text[:begin] + becomes.encode() + text[end:]).decode()
            bare = becomes[1:-1] if becomes.startswith("(") else becomes
            found.append(Mutant(node.lineno, ast.unparse(node), bare, after))
    return found
