"""Is a program new, or one we know with other names and comments?"""

import ast
import hashlib


def fingerprint(source: str) -> str:
    """Return a hash of the program's syntax tree that ignores comments, docstrings and names.

    Only names that the program itself gives are ignored. A text that is not Python is hashed
    as it stands.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return hashlib.sha256(source.encode()).hexdigest()
    _drop_docstrings(tree)
    _rename(tree)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]


def _rename(tree: ast.Module) -> None:
    """Number the program's own names in the order in which they are given."""
    numbers: dict[str, str] = {}
    for node in ast.walk(tree):
        for name in _given_names(node):
            numbers.setdefault(name, f"name{len(numbers)}")
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name"):
            old = getattr(node, field, None)
            if isinstance(old, str) and old in numbers:
                setattr(node, field, numbers[old])


def _given_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return [node.attr]
    return []
