"""Reads from the text of a crate which file imports which.

It reads `use` with groups and `self`, paths within code, `super::super`, and names that a module passes on from another one:
these count as imports of the file that defines them. Tests do not count, and neither does what stands in comments or quotes.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

Sources = dict[str, str]  # the texts of files, by path
Path = tuple[str, ...]


class Import(NamedTuple):
    importer: Path  # a module
    line: int
    imported: Path  # the module that defines the name
    used: bool  # false where the importer only passes the name on


class Use(NamedTuple):
    path: Path
    name: str  # which the path has in this module; `*` for all names in it
    line: int
    public: bool


class Crate:
    """The modules of a crate by their paths: () is the root."""

    def __init__(self, root: str, sources: Sources) -> None:
        self.root, self.sources = root, sources
        self.files: dict[Path, str] = {}
        self.children: dict[Path, set[str]] = defaultdict(set)
        self.uses: dict[Path, list[Use]] = {}
        self.code: dict[Path, str] = {}  # without `use` and `mod`
        self._add((), f"{root}/lib.rs", without_tests(sources[f"{root}/lib.rs"]))

    def imports(self) -> Iterator[Import]:
        for module, code in self.code.items():
            for use in self.uses[module]:
                used = not use.public or use.name != "*" and bool(re.search(rf"\b{use.name}\b", code))
                if imported := self._resolve(module, use.path):
                    yield Import(module, use.line, imported, used)
            for path in re.finditer(r"(?<![\w:.$])[a-z_]\w*(?:::\w+)+", code):
                if imported := self._resolve(module, tuple(path[0].split("::"))):
                    yield Import(module, line_of(code, path.start()), imported, True)

    def _add(self, module: Path, file: str, text: str) -> None:
        """Adds a module and those below it, which are blocks in its text or files of their own."""
        self.files[module] = file
        while block := re.search(r"\bmod (\w+)\s*\{", text):
            end = end_of_block(text, block.end() - 1)
            self.children[module].add(block[1])
            self._add((*module, block[1]), file, blank(blank(text, 0, block.end()), end - 1, len(text)))
            text = blank(text, block.start(), end)
        self.uses[module] = [
            Use(path, name, line_of(text, use.start(2)), bool(use[1]))
            for use in re.finditer(r"(\bpub(?:\(\w+\))?\s+)?\b(use)\s+([^;]+);", text)
            for path, name in leaves(use[3])
        ]
        self.code[module] = re.sub(r"\b(use\s+[^;]+|mod \w+);", spaces, text)
        for child in re.findall(r"\bmod (\w+);", text):
            stem = "/".join([self.root, *module, child])
            file = next((name for name in (f"{stem}.rs", f"{stem}/mod.rs") if name in self.sources), None)
            if file is None:
                raise SystemExit(f"the wall: {stem}.rs is not tracked: git add it")
            self.children[module].add(child)
            self._add((*module, child), file, without_tests(self.sources[file]))

    def _resolve(self, module: Path, path: Path, seen: frozenset[tuple[Path, str]] = frozenset()) -> Path | None:
        """Returns the module that defines what `path` means in `module`, or none if that is another crate."""
        if path[0] == "crate":
            return self._within((), path[1:], seen)
        if path[0] in {"self", "super", *self.children[module], *(use.name for use in self.uses[module])}:
            return self._within(module, path, seen)
        return None

    def _within(self, module: Path, path: Path, seen: frozenset[tuple[Path, str]]) -> Path | None:
        """The same for a path that goes on from `module`. `seen` are the names that led there."""
        if not path or path[0] == "*":
            return module
        name, rest = path[0], path[1:]
        if name in ("self", "super"):
            return self._within(module if name == "self" else module[:-1], rest, seen)
        if name in self.children[module]:
            return self._within((*module, name), rest, seen)
        if (module, name) in seen:
            return None
        seen |= {(module, name)}
        for use in self.uses[module]:
            if use.name == name:
                return self._resolve(module, use.path + rest, seen)
        if re.search(rf"\b(struct|enum|trait|type|fn|const|static|union|macro_rules!)\s+{name}\b", self.code[module]):
            return module
        others = [use.path[:-1] for use in self.uses[module] if use.name == "*"]
        found = (self._resolve(module, other + path, seen) for other in others)
        return next(filter(None, found), None if others else module)


def leaves(tree: str) -> Iterator[tuple[Path, str]]:
    """Yields each path of a `use`, and the name that it gives to what is there."""
    head, brace, group = tree.strip().partition("{")
    if not brace:
        path, _, alias = re.sub(r"\s+", " ", head).removeprefix("::").partition(" as ")
        names = tuple(name.strip() for name in path.split("::"))
        names = names[:-1] if names[-1] == "self" and names[1:] else names
        yield names, alias or names[-1]
        return
    depth, branch = 0, ""
    for c in group[: group.rindex("}")] + ",":
        depth += (c == "{") - (c == "}")
        if c != "," or depth:
            branch += c
        elif branch.strip():
            yield from leaves(head + branch.strip())
            branch = ""


@cache
def code(text: str) -> str:
    """Returns the text with spaces for comments and for what stands in quotes."""
    quoted = r'//[^\n]*|/\*.*?\*/|\bb?r(#*)".*?"\1|"(?:\\.|[^"\\])*"|\'(?:\\[^\n]+?|[^\'\\\n])\''
    return re.sub(quoted, spaces, text, flags=re.DOTALL)


@cache
def without_tests(text: str) -> str:
    """Returns the code with spaces for items that only tests compile, and for `in path` of `pub(in path)`."""
    text = re.sub(r"(?<=\bpub\()in [\w:]+", spaces, code(text))
    while found := re.search(r"#\[cfg\((all\()?test\b[^\]]*\]", text):
        end = re.compile(r"[;{]").search(text, found.end()).start()
        text = blank(text, found.start(), end + 1 if text[end] == ";" else end_of_block(text, end))
    return text


def end_of_block(text: str, start: int) -> int:
    depth = 0
    for brace in re.compile(r"[{}]").finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end()
    raise ValueError("a block does not end")


def blank(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"\S", " ", text[start:end]) + text[end:]


def spaces(found: re.Match[str]) -> str:
    return re.sub(r"\S", " ", found[0])


def line_of(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
