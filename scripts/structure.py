"""Measure and draw how the modules of the package hang together.

`python scripts/structure.py [SOURCE] [--svg FILE]` prints, for the package in SOURCE (default
`src/warmline`): modules, their mean length, how many are imported by one other module only, how
many lie loose at the top, and the longest chain of imports. With `--svg` it draws the parts of the
package in layers: each imports from those above it. Lines stand for what modules import when they
are imported themselves; one that follows from others is left out.

Migrations are counted by themselves: Alembic runs them by number, no module imports them, and they
stay as they are for as long as somebody has a database from before.
"""

import argparse
import ast
import functools
import html
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

_WIDTH, _ROW, _BOX = 920, 64, 108


def modules_of(source: Path) -> dict[str, Path]:
    """Return every module of a package by its dotted name; migrations are none."""
    found = {}
    for path in sorted(set(source.rglob("*.py")) - set(migrations_of(source))):
        parts = path.relative_to(source.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def migrations_of(source: Path) -> list[Path]:
    """Return the files of a package that only Alembic runs."""
    return sorted(source.rglob("migrations/**/*.py"))


def imports_of(path: Path, modules: Mapping[str, Path], *, at_once: bool = False) -> Iterator[str]:
    """Yield the modules of the package that a file imports; with `at_once`, not in functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not _is_for_types(node)]
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found = full if full in modules else str(node.module)
                if found in modules:  # of a package without an `__init__.py`, only its modules are
                    yield found


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def longest_chain(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the longest way from import to import; what lies on a cycle is passed once."""

    @functools.cache
    def below(name: str) -> tuple[str, ...]:
        waiting.add(name)
        ways = [below(other) for other in sorted(graph[name]) if other not in waiting]
        waiting.discard(name)
        return (name, *max(ways, key=len, default=()))

    waiting: set[str] = set()
    return list(max((below(name) for name in graph), key=len))


def package_of(module: str) -> str:
    """Return the part of the package that a module belongs to."""
    return [*module.split("."), ""][1]


def layers_of(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the parts of the package in layers: each imports from those above it only."""
    parts: dict[str, set[str]] = defaultdict(set)
    for module, others in graph.items():
        own = package_of(module)
        parts[own] |= {package_of(other) for other in others} - {own, ""}
    parts.pop("", None)
    layers: list[list[str]] = []
    placed: set[str] = set()
    while left := sorted(set(parts) - placed):
        layer = [part for part in left if not parts[part] - placed - {part}]
        layer = layer or [min(left, key=lambda part: (len(parts[part] - placed), part))]
        layers.append(layer)
        placed |= set(layer)
    return layers


def drawing(graph: Mapping[str, set[str]], sizes: Mapping[str, int], caption: str) -> str:
    """Return an SVG of the parts of the package in their layers, with a line below them."""
    layers = layers_of(graph)
    at = {}
    for y, layer in enumerate(layers):
        for x, part in enumerate(layer):
            at[part] = ((x + 0.5) * _WIDTH / len(layer), 30 + y * _ROW)
    edges = _not_implied(
        {
            (package_of(module), package_of(other))
            for module, others in graph.items()
            for other in others
            if package_of(module) != package_of(other) and package_of(other)
        }
    )
    counts: dict[str, int] = defaultdict(int)
    for module in graph:
        counts[package_of(module)] += 1
    height = 60 + len(layers) * _ROW
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        "<title>Parts of the package and what they import</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for one, other in sorted(edges):
        (x1, y1), (x2, y2) = at[one], at[other]
        lines.append(
            f'<path d="M{x1:.0f} {y1 - 14:.0f} C{x1:.0f} {y1 - 40:.0f} {x2:.0f} {y2 + 40:.0f} '
            f'{x2:.0f} {y2 + 14:.0f}" fill="none" stroke="#5b7fa6" stroke-opacity="0.6"/>'
        )
    for part, (x, y) in sorted(at.items()):
        said = f"{counts[part]} modules" if counts[part] > 1 else f"{sizes[part]} lines"
        lines += [
            f'<rect x="{x - _BOX / 2:.0f}" y="{y - 15:.0f}" width="{_BOX}" height="30" rx="4" '
            'fill="#eef3f9" stroke="#274b73"/>',
            f'<text x="{x:.0f}" y="{y - 1:.0f}" text-anchor="middle" fill="#12283f">'
            f"{html.escape(part)}</text>",
            f'<text x="{x:.0f}" y="{y + 11:.0f}" text-anchor="middle" font-size="9" '
            f'fill="#46607c">{said}</text>',
        ]
    lines.append(
        f'<text x="{_WIDTH / 2:.0f}" y="{height - 12}" text-anchor="middle" fill="#46607c">'
        f"{html.escape(caption)}</text>"
    )
    return "\n".join([*lines, "</svg>", ""])


def _not_implied(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the edges that no longer way replaces."""

    @functools.cache
    def reached(part: str) -> frozenset[str]:
        near = {other for one, other in edges if one == part}
        return frozenset(near).union(*(reached(other) for other in near))

    return {
        (one, other)
        for one, other in edges
        if not any(other in reached(way) for start, way in edges if start == one and way != other)
    }


def main() -> None:
    """Print the figures; draw them where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).parents[1]
    parser.add_argument("source", nargs="?", type=Path, default=root / "src" / "warmline")
    parser.add_argument("--svg", type=Path)
    given = parser.parse_args()
    modules = modules_of(given.source)
    graph = {
        name: set(imports_of(path, modules, at_once=name == given.source.name)) - {name}
        for name, path in modules.items()  # the package itself offers what others have, when called
    }
    importers: dict[str, set[str]] = defaultdict(set)
    for name, others in graph.items():
        for other in others:
            importers[other].add(name)
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in modules.items()}
    loose = [name for name in modules if name.count(".") == 1 and modules[name].stem != "__init__"]
    chain = longest_chain(graph)
    migrations = len(migrations_of(given.source))
    mean = f"{statistics.mean(lines.values()):.0f}"
    print(f"modules: {len(modules)}, without {migrations} migrations")  # noqa: T201
    print(f"lines, mean: {mean}")  # noqa: T201
    print(f"under 60 lines: {sum(count < 60 for count in lines.values())}")  # noqa: T201
    print(f"imported by one other only: {sum(len(x) == 1 for x in importers.values())}")  # noqa: T201
    print(f"loose at the top: {len(loose)}")  # noqa: T201
    print(f"longest chain of imports: {len(chain)} ({' > '.join(chain)})")  # noqa: T201
    if given.svg:
        sizes = {package_of(name): count for name, count in lines.items()}
        at_once = {
            name: set(imports_of(path, modules, at_once=True)) - {name}
            for name, path in modules.items()
            if package_of(name) not in ("", "__main__", "preloaded")
        }
        caption = (
            f"{len(modules)} modules of {mean} lines on average; {migrations} files that migrate "
            "the database of the pages are not counted"
        )
        given.svg.write_text(drawing(at_once, sizes, caption), encoding="utf-8")


if __name__ == "__main__":
    main()
