"""Where a source file can be broken, and how: each mutant is one small change of its text.

Texts are left alone: docstrings, annotations, `__all__`, reasons, f-strings, log words, `assert_never`.
Nobody trades by them, and tests that pin words only make words hard to improve. Imports and decorators are
left alone too: a break there fails at import, which proves nothing.

A mutant replaces one stretch of the source by other code on as many lines, so that its line numbers stay
true. Same source, same mutants, in the same order.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

BOUNDARY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
OPPOSITE = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
SWAPPED_NAMES = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "floor_to": "ceil_to",
    "ceil_to": "floor_to",
    "ZERO": "ONE",
    "ONE": "ZERO",
}
BUILT_IN = frozenset({"min", "max", "any", "all"})
TEXT_FUNCTIONS = frozenset({"text", "seconds", "assert_never"})
TEXT_NAMES = frozenset(
    "reason observed bounds wanted detail note message _EIGHT_DIGITS _PLAIN_EXPONENT".split()
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to break one file.

    function: qualified name of what it breaks, `<module>` outside functions. before, after: the lines it
    touches, stripped and joined. start, end: offsets in the source's characters; replacement goes between.
    """

    file: str
    line: int
    function: str
    operator: str
    before: str
    after: str
    start: int
    end: int
    replacement: str

    def applied_to(self, source: str) -> str:
        """The broken source."""
        return source[: self.start] + self.replacement + source[self.end :]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.before}  ->  {self.after}"


def mutants_of(source: str, file: str) -> list[Mutant]:
    """Every mutant of a source, in its order, each different text once. file: the name they bear."""
    finder = _Finder(source, file)
    finder.visit(ast.parse(source, filename=file))
    seen: set[tuple[int, int, str]] = set()
    found = []
    for mutant in sorted(finder.found, key=lambda item: (item.start, item.end)):
        key = (mutant.start, mutant.end, mutant.replacement)
        if key not in seen:
            seen.add(key)
            found.append(mutant)
    return found


class _Finder(ast.NodeVisitor):
    """Walks one module; `found` collects its mutants."""

    def __init__(self, source: str, file: str) -> None:
        self.file = file
        self.source = source
        self.found: list[Mutant] = []
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self._scopes: list[str] = []
        self._returns_bool = False
        self._known = set(BUILT_IN)

    # What is left alone.

    def visit_Import(self, node: ast.Import) -> None:
        self._know(node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._know(node.names)

    def _know(self, names: list[ast.alias]) -> None:
        self._known.update(alias.asname or alias.name for alias in names)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """A text."""

    def visit_Raise(self, node: ast.Raise) -> None:
        self._add(node, "pass", "removed statement")

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._visit_value([node.target], node.value)

    def visit_arguments(self, node: ast.arguments) -> None:
        for default in (*node.defaults, *(item for item in node.kw_defaults if item is not None)):
            self.visit(default)

    # Scopes.

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._scopes.append(node.name)
        self._visit_body(node.body)
        self._scopes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.visit(node.args)
        if node.name in TEXT_FUNCTIONS:
            return
        outer, self._returns_bool = self._returns_bool, _is_name(node.returns, "bool")
        self._scopes += [node.name, "<locals>"]
        self._visit_body(node.body)
        del self._scopes[-2:]
        self._returns_bool = outer

    def _visit_body(self, body: list[ast.stmt]) -> None:
        for statement in body:
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                self.visit(statement)

    # Statements.

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant) or _calls(node.value, TEXT_FUNCTIONS):
            return
        if isinstance(node.value, ast.Call):
            self._add(node, "pass", "removed statement")
        self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(_is_name(target, "__all__") or _is_name(target, "__slots__") for target in node.targets):
            return
        if not any(_binds(target) for target in node.targets):
            self._add(node, "pass", "removed statement")
        self._visit_value(node.targets, node.value)

    def _visit_value(self, targets: list[ast.expr], value: ast.expr) -> None:
        texts = all(isinstance(item, ast.Name) and item.id in TEXT_NAMES for item in targets)
        if not texts:
            self.visit(value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._add(node, "pass", "removed statement")
        other = ARITHMETIC.get(type(node.op))
        if other is not None:
            swapped = ast.AugAssign(node.target, other(), node.value)
            self._add(node, ast.unparse(swapped), "arithmetic")
        self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._add(node, "pass", "removed statement")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._add(node, "pass", "removed statement")

    def visit_Break(self, node: ast.Break) -> None:
        self._add(node, "pass", "removed statement")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._add(node, "pass", "removed statement")
            return
        constant = isinstance(node.value, ast.Constant)
        if self._returns_bool and not constant:
            if not isinstance(node.value, ast.Compare | ast.UnaryOp):
                self._add(node.value, f"not ({ast.unparse(node.value)})", "return value")
        elif not constant and not _is_text(node.value):
            self._add(node.value, "None", "return value")
        self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        self._negate(node.test, "swapped branches" if node.orelse else "negated condition")
        self.visit(node.test)
        self._visit_body(node.body)
        for position, statement in enumerate(node.orelse):
            if position == 0 and isinstance(statement, ast.If) and self._is_elif(statement):
                self._add(statement.test, "False", "dropped elif")
            self.visit(statement)

    def _is_elif(self, node: ast.If) -> bool:
        return self.source.startswith("elif", self._offset(node.lineno, node.col_offset))

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):
            self._negate(node.test, "negated condition")
            self.visit(node.test)
        self._visit_body(node.body)

    def visit_match_case(self, node: ast.match_case) -> None:
        wild = isinstance(node.pattern, ast.MatchAs) and node.pattern.pattern is None
        idle = all(isinstance(item, ast.Pass) or _is_text_call(item) for item in node.body)
        if node.guard is not None:
            self._add(node.guard, "False", "dropped case")
            self._negate(node.guard, "negated condition")
            self.visit(node.guard)
        elif not wild and not idle:
            line, column = node.pattern.end_lineno, node.pattern.end_col_offset
            at = self._offset(line, column)
            self._add_text(at, at, " if False", node.pattern.lineno, line, "dropped case")
        self._visit_body(node.body)

    # Expressions.

    def visit_Call(self, node: ast.Call) -> None:
        if _calls(node, TEXT_FUNCTIONS):
            return
        if _calls(node, frozenset({"Decimal"})) and len(node.args) == 1 and self._decimal(node.args[0]):
            return
        self.visit(node.func)
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg not in TEXT_NAMES:
                self.visit(keyword.value)

    def _decimal(self, node: ast.expr) -> bool:
        """A number written as a text grows by one in its last place."""
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            return False
        try:
            value = Decimal(node.value)
        except InvalidOperation:
            return False
        if value.is_finite():
            step = Decimal(1).scaleb(int(value.as_tuple().exponent))
            self._add(node, repr(str(value + step)), "constant")
        return True

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._add(node, repr(not value), "constant")
        elif isinstance(value, int | float):
            for other in (value + 1, value - 1):
                self._add(node, repr(other) if other >= 0 else f"({other})", "constant")

    def visit_Name(self, node: ast.Name) -> None:
        other = SWAPPED_NAMES.get(node.id)
        if isinstance(node.ctx, ast.Load) and node.id in self._known and other in self._known:
            self._add(node, other, "swapped name")

    def visit_Compare(self, node: ast.Compare) -> None:
        for place, operator in enumerate(node.ops):
            for table, name in ((BOUNDARY, "boundary"), (OPPOSITE, "comparison")):
                other = table.get(type(operator))
                if other is not None:
                    ops = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                    self._add(node, f"({_plain(ast.Compare(node.left, ops, node.comparators))})", name)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self._add(node, f"({_plain(ast.BoolOp(other, node.values))})", "and/or")
        for place in range(len(node.values)):
            rest = [value for index, value in enumerate(node.values) if index != place]
            left = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
            self._add(node, f"({_plain(left)})", "dropped clause")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        other = ARITHMETIC.get(type(node.op))
        exempt = _is_text(node.left) or _is_text(node.right) or _is_sign(node.right)
        if other is not None and not exempt:
            self._add(node, f"({_plain(ast.BinOp(node.left, other(), node.right))})", "arithmetic")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        name = {ast.Not: "removed not", ast.USub: "removed minus"}.get(type(node.op))
        if name is not None:
            self._add(node, f"({ast.unparse(node.operand)})", name)
        self.visit(node.operand)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        if _is_text(node.body) and _is_text(node.orelse):
            return
        swapped = ast.IfExp(node.test, node.orelse, node.body)
        self._add(node, f"({_plain(swapped)})", "swapped branches")
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.visit(node.iter)
        for condition in node.ifs:
            self._add(condition, "True", "dropped filter")
            self.visit(condition)

    # Making mutants.

    def _negate(self, test: ast.expr, name: str) -> None:
        """A lone comparison or `not` is negated where it is visited itself."""
        if not isinstance(test, ast.UnaryOp) and not (isinstance(test, ast.Compare) and len(test.ops) == 1):
            self._add(test, f"not ({_plain(test)})", name)

    def _add(self, node: ast.expr | ast.stmt, replacement: str, operator: str) -> None:
        last, column = node.end_lineno or node.lineno, node.end_col_offset or 0
        start, end = self._offset(node.lineno, node.col_offset), self._offset(last, column)
        self._add_text(start, end, replacement, node.lineno, last, operator)

    def _add_text(self, start: int, end: int, text: str, first: int, last: int, operator: str) -> None:
        if self.source[start:end] == text:
            return
        # As many lines as before, so that what follows keeps its number.
        padding = "\n" * self.source.count("\n", start, end)
        if padding and text == "pass":
            text = f"(None,{padding})"
        elif padding:
            text = f"({text}{padding})"
        block, tail = self._starts[first - 1], self._starts[last]
        before, after = self.source[block:tail], self.source[block:start] + text + self.source[end:tail]
        function = (
            ".".join(self._scopes).removesuffix(".<locals>") if "<locals>" in self._scopes else "<module>"
        )
        self.found.append(
            Mutant(self.file, first, function, operator, _joined(before), _joined(after), start, end, text)
        )

    def _offset(self, line: int, column: int) -> int:
        """Offset in characters of what ast gives as a line and a column in bytes."""
        text = self._lines[line - 1]
        return self._starts[line - 1] + len(text.encode()[:column].decode())


def _is_sign(node: ast.expr) -> bool:
    """One or minus one: to divide by it is to multiply with it."""
    return getattr(node, "attr", getattr(node, "id", "")) == "sign"


def _plain(node: ast.expr) -> str:
    return ast.unparse(ast.fix_missing_locations(node))


def _joined(lines: str) -> str:
    return " ".join(lines.split())


def _is_name(node: ast.AST | None, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _calls(node: ast.expr, names: frozenset[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _is_text_call(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and _calls(node.value, TEXT_FUNCTIONS)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _binds(target: ast.expr) -> bool:
    """Whether an assignment makes a plain name: without it, what follows cannot even be read."""
    return any(isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store) for item in ast.walk(target))
