"""URScript made executable: a program becomes a Python generator that yields once per control cycle.

Executing what the client uploads, instead of imitating the registers it would set, gives its true semantics: threads,
critical sections, streaming, and every way a script can end. The dialect is what real clients send: functions, threads,
``while``, ``if``, assignments, calls, pose literals. Attributes, imports and Python's own built-ins do not get through.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Generator
from typing import Any

Program = Callable[[], Generator[None, None, Any]]


class ScriptError(Exception):
    """The program cannot be translated, or failed while it ran."""


def compile_program(source: str, functions: dict[str, Any], cyclic: Collection[str]) -> tuple[str, Program]:
    """Name and generator function of a program.

    functions: the built-in functions by name; cyclic: those of them that are generators (they take control cycles).
    Raises ScriptError when the source is not understood.
    """
    python, defined, shared = _to_python(source)
    try:
        tree = ast.parse(python)
    except SyntaxError as error:
        raise ScriptError(f"syntax error near line {error.lineno}: {(error.text or '').strip()}") from error
    main = next(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    _refuse_foreign(tree)
    _share_globals(tree, main, shared)
    tree = ast.fix_missing_locations(_YieldFromCalls(set(cyclic) | defined).visit(tree))
    names: dict[str, Any] = {"__builtins__": {}, **functions}
    exec(compile(tree, f"<{main}>", "exec"), names)
    return main, names[main]


def split_programs(buffer: str) -> tuple[list[str], str]:
    """Complete programs at the front of what a script port has received, and the rest.

    A program is a ``def … end`` (or ``sec … end``) at the left margin, or a single statement on a line of its own.
    """
    programs: list[str] = []
    while True:
        buffer = buffer.lstrip("\r\n")
        if re.match(r"(def|sec)\b", buffer):
            match = re.search(r"^end[ \t]*\r?\n", buffer, re.MULTILINE)
        else:
            match = re.search(r"\n", buffer)
        if not match:
            return programs, buffer
        text, buffer = buffer[: match.end()], buffer[match.end() :]
        programs.append(text if re.match(r"(def|sec)\b", text) else f"def statement():\n{text}end\n")


# --- translation ------------------------------------------------------------------------------------------------------

_HEAD = re.compile(r"(def|sec|thread)\s+(\w+)\s*\((.*)\)\s*:$")
_REWRITES = [
    (re.compile(r"\basync\b"), "async_"),  # a keyword in Python
    (re.compile(r"\brun\s+(\w+)\s*\(\s*\)"), r"_run(\1)"),
    (re.compile(r"\bkill\s+(\w+)"), r"_kill(\1)"),
    (re.compile(r"\b(enter|exit)_critical\b"), "pass"),  # threads are switched between cycles only
    (re.compile(r"^local\s+"), ""),
]


def _to_python(source: str) -> tuple[str, set[str], set[str]]:
    """Python text of a program, the names of the functions and threads it defines, and those it declares global."""
    source = _pose_literals("\n".join(_without_comment(line) for line in source.splitlines()))
    source = re.sub(r"=[ \t]*\n\s*([\w.]+)", r"= \1\n", source)  # clients put values on the line after their sign
    lines: list[str] = []
    defined: set[str] = set()
    shared: set[str] = set()
    depth = 0
    for line in (raw.strip() for raw in source.split("\n")):
        if not line:
            continue
        for pattern, replacement in _REWRITES:
            line = pattern.sub(replacement, line)
        declared = re.match(r"global\s+(\w+)", line)
        if declared:
            shared.add(declared[1])
            line = line.removeprefix("global").strip()
        head = _HEAD.match(line)
        if line == "end":
            depth -= 1
        elif head:
            defined.add(head[2])
            lines += [f"{' ' * depth}def {head[2]}({head[3]}):", f"{' ' * (depth + 1)}if False: yield"]
            depth += 1
        elif re.match(r"(elif\b.*|else\s*):$", line):
            lines += [" " * (depth - 1) + line, " " * depth + "pass"]
        elif re.match(r"(while|if)\b.*:$", line):
            lines += [" " * depth + line, " " * (depth + 1) + "pass"]
            depth += 1
        else:
            lines.append(" " * depth + line)
    if depth or not defined:
        raise ScriptError("the program is not complete")
    return "\n".join(lines) + "\n", defined, shared


def _without_comment(line: str) -> str:
    return re.match(r'(?:"[^"]*"|[^"#])*', line)[0]


def _pose_literals(source: str) -> str:
    """``p[x,y,z,rx,ry,rz]`` becomes ``_pose([…])``; an index into a variable p, which holds no comma, stays."""
    out, position = "", 0
    for match in re.finditer(r"\bp\[", source):
        if match.start() < position:
            continue
        depth, comma, i = 0, False, match.end() - 1
        while i < len(source):
            depth += (source[i] in "[(") - (source[i] in "])")
            comma |= source[i] == "," and depth == 1
            if depth == 0:
                break
            i += 1
        if comma:
            out += source[position : match.start()] + "_pose([" + source[match.end() : i] + "])"
            position = i + 1
    return out + source[position:]


_REFUSED = (ast.Attribute, ast.Import, ast.ImportFrom, ast.Lambda, ast.ClassDef, ast.ListComp, ast.GeneratorExp)


def _refuse_foreign(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, _REFUSED):
            raise ScriptError(f"{type(node).__name__} is not URScript (line {node.lineno})")


def _share_globals(tree: ast.Module, main: str, declared: set[str]) -> None:
    """Variables declared global, or assigned in the program's own body, are the program's; functions share them."""
    body = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == main)
    shared = declared | set(_assigned(body))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        names = sorted(shared - {a.arg for a in function.args.args})
        if names:
            function.body.insert(0, ast.Global(names=names))


def _assigned(node: ast.AST) -> Generator[str, None, None]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            continue
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        yield from _assigned(child)


class _YieldFromCalls(ast.NodeTransformer):
    def __init__(self, cyclic: set[str]) -> None:
        self._cyclic = cyclic

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self._cyclic:
            return ast.YieldFrom(node)
        return node
