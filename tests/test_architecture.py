"""The package keeps its shape: calls go one way, and heavy or foreign things stay out."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "warmline"
MODULES = sorted(SOURCE.rglob("*.py"))
FLOWS = sorted((ROOT / "flows").glob("*.py"))
SHIPPED = [*MODULES, *FLOWS]

# From what everything uses to the command line: a package may import those above it, never those
# below, nor those in its own line.
LAYERS = (
    ("__init__", "errors", "values"),
    ("settings", "statistics"),
    ("files",),
    ("processes", "encryption"),
    ("analysis", "phrases", "database"),
    ("models",),
    ("redaction",),
    ("recordings", "landing"),
    ("speech",),
    ("words",),
    ("turns",),
    ("prosody", "floor", "language"),
    ("empathy",),
    ("pipeline",),
    ("preloaded",),
    ("warehouse",),
    ("simulate", "annotation", "reports"),
    ("research", "query"),
    ("privacy",),
    ("run",),
    ("web",),
    ("cli",),
    ("__main__",),
)
LAYER_OF = {package: layer for layer, packages in enumerate(LAYERS) for package in packages}
# Networks of our own, into which engines loads weights; and those that use whisper's helpers.
NETWORKS = {"e5.py", "encoders.py", "networks.py"}
USERS_OF_NETWORKS = {*NETWORKS, "recognisers.py", "decoding.py", "beams.py"}
# Imported by functions when a network is there to be used.
LATE = {*NETWORKS, "decoding.py", "beams.py"}
ALLOWED_UPWARDS = {
    ("privacy", "web.store"),  # what people wrote on the pages is forgotten with the call
    ("models", "speech.networks"),
    ("models", "language.e5"),
    ("models", "language.encoders"),
}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, at its top or later, with the line."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "warmline":
                yield from ((f"warmline.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


def top_level_imports(path: Path) -> set[str]:
    """What importing the file itself imports: not what functions or type checkers do."""
    found = set()
    for node in tree_of(path).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_dependencies_run_downstream_only():
    unplaced = {package_of(path) for path in MODULES} - set(LAYER_OF)
    assert not unplaced, "these have no place in LAYERS"
    against = []
    for path in MODULES:
        own = package_of(path)
        if own == "__init__":  # it offers what others have, when it is asked for
            continue
        for module, line in imports(path):
            inside = module.removeprefix("warmline.")
            other = inside.split(".")[0]
            if inside == module or other == own or other.startswith("__"):
                continue
            if (own, inside) not in ALLOWED_UPWARDS and LAYER_OF[other] >= LAYER_OF[own]:
                against.append(f"{name(path)}:{line}: {own} must not know {other}")
    assert against == []


def test_every_import_is_a_declared_dependency():
    """What is only there because something else needs it can be gone tomorrow."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    required = [*project["dependencies"], *extras["listen"], *extras["night"], *extras["research"]]
    required += [*extras["fast"], *extras["sheets"], *extras["dask"], *extras["ray"]]
    required += [*extras["remote"], *extras["web"]]
    declared = {canonical(re.split(r"[^\w.-]", text)[0]) for text in required}
    providers = packages_distributions()
    for path in SHIPPED:
        for module, line in imports(path):
            top = module.split(".")[0]
            if top in sys.stdlib_module_names or top in {"warmline", *(p.stem for p in FLOWS)}:
                continue
            found = {canonical(name) for name in providers.get(top, [top])}
            if top == "pyannote":
                found = {"pyannote-" + module.split(".")[1]}
            assert found & declared, f"{name(path)}:{line}: {top} is not in pyproject.toml"


def canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_duckdb_is_opened_in_one_place():
    """A connection made elsewhere would know nothing of the key."""
    opening = {p.name for p in SHIPPED if "duckdb.connect(" in p.read_text(encoding="utf-8")}
    assert opening == {"database.py"}


def test_prefect_is_known_in_flows_only():
    knowing = {name(p) for p in MODULES for module, _ in imports(p) if module.startswith("prefect")}
    assert knowing == set()
    assert any(module.startswith("prefect") for p in FLOWS for module, _ in imports(p))


def test_models_are_loaded_in_engines_only():
    against = []
    for path in MODULES:
        if path.name == "engines.py":
            continue
        called = [node.func for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
        calls = {ast.unparse(name) for name in called if isinstance(name, ast.Attribute)}
        loads = calls & {"torch.load", "Model.from_pretrained", "whisper.load_model"}
        against += [f"{name(path)} loads weights: {call}" for call in loads]
        if path.name not in USERS_OF_NETWORKS:
            against += [
                f"{name(path)}:{line} imports {module}"
                for module, line in imports(path)
                if re.match(r"(whisper|pyannote\.audio|faster_whisper)(\.|$)", module)
            ]
    assert against == []


def test_importing_a_module_stays_light():
    heavy = {"torch", "torchaudio", "whisper", "librosa", "sklearn", "pandas", "prefect", "av"}
    found = {name(p): top_level_imports(p) & heavy for p in MODULES if p.name not in LATE}
    assert {path: modules for path, modules in found.items() if modules} == {}


def test_files_and_functions_fit_a_reader():
    against = []
    for path in SHIPPED:
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 600:
            against.append(f"{name(path)} would be clearer as two modules")
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                # A command's options are its signature, and are read one by one.
                lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                if lines > 70:
                    against.append(f"{name(path)}:{node.lineno} {node.name} has {lines} lines")
    assert against == []


NOT_VERBS = {"How", "What", "When", "Where", "Whether", "Which", "Who", "Whose", "Why"}


def test_docstrings_of_public_functions_begin_with_a_verb():
    """A reader sees at once whether a function returns, yields, writes or raises."""
    against = []
    for path in SHIPPED:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = (ast.get_docstring(node) or "").split(" ", 1)[0]
                if first in NOT_VERBS and not node.name.startswith("_"):
                    against.append(f"{name(path)}:{node.lineno} {node.name}: {first} ...")
    assert against == []


# Words that only this project used, and what the field says.
PRIVATE_WORDS = {
    r"trays?|dealt out": "batch",
    r"tellers?": "progress callback",
    r"voice ?prints?": "embedding",
    r"unsaid": "missing",
    r"withh(?:old|eld|olding)": "suppressed",
    r"not_analyzed": "base_analysis",
    r"tell_apart": "cluster_speakers",
    r"through the house|rooms? of the house|(?:language|prosody|floor|empathy) room": "stage",
    r"class (?:Addressing|Arrivals|Board|Desk|Elsewhere|Fetched|Given|Hands|Order|Passage|Post"
    r"|Seal|Tally|Teller|Tray)": "the words of the glossary",
}
# The plain meaning: what a data protection officer looks for.
PLAIN = {
    "SECURITY.md": {"voiceprints"},
    "docs/privacy.md": {"voiceprints"},
    "docs/record-of-processing-template.md": {"voiceprints"},
}


def test_only_words_of_the_field_are_used():
    """Whoever joins should have to learn none of our own."""
    texts = [*SHIPPED, *ROOT.glob("*.md"), *(ROOT / "warehouse").rglob("*.sql")]
    for folder in ("docs", "src", "benchmarks", "training", "validation", "tests"):
        texts += (ROOT / folder).rglob("*.md")
        texts += () if folder == "src" else (ROOT / folder).rglob("*.py")
    texts.remove(Path(__file__))
    against = []
    for path in texts:
        text = path.read_text(encoding="utf-8")
        for pattern, instead in PRIVATE_WORDS.items():
            for found in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
                if found[0] not in PLAIN.get(name(path), ()):
                    line = text.count("\n", 0, found.start()) + 1
                    against.append(f"{name(path)}:{line}: {found[0]}, say {instead}")
    assert against == []
