"""Give MkDocs the pages of the site: those that mkdocs.yml names, docs/, and all they link to.

MkDocs takes pages from one folder; ours stand where they are read in the repository (README.md,
docs/, validation/, ...). As a hook of mkdocs.yml this hands each of them over under its path in the
repository, so that links between them are the same in both. A file that is linked to and is no page
(a picture, a notebook, a unit of systemd) is copied. A link to a folder, or to what is not there,
is left as it is: MkDocs then warns, and a strict build fails.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
CODE = re.compile(r"^(?:```.*?^```|~~~.*?^~~~)|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put pages of docs/ that the navigation does not name at its end, so that none is left out."""
    assert config.nav is not None, "mkdocs.yml names pages under nav"
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    if rest := sorted(there - set(named(config.nav))):
        config.nav.append({"More": rest})
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Replace what MkDocs found in docs/ by the pages of the repository; keep the theme's files."""
    for file in list(files):
        if file.abs_src_path and Path(file.abs_src_path).is_relative_to(ROOT / "docs"):
            files.remove(file)
    for path in reachable(config.nav or []):
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def reachable(nav: Sequence[object]) -> list[str]:
    """Return the paths of the named pages and of all files that can be reached from them."""
    found: list[str] = []
    waiting = list(named(nav))
    while waiting:
        path = waiting.pop(0)
        if path not in found and (ROOT / path).is_file():
            found.append(path)
            if path.endswith(".md"):
                waiting += linked(path)
    return found


def named(nav: object) -> Iterator[str]:
    """Yield the pages that a navigation names."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, Mapping):
        for entry in nav.values():
            yield from named(entry)
    elif isinstance(nav, Sequence):
        for entry in nav:
            yield from named(entry)


def linked(path: str) -> Iterator[str]:
    """Yield the files of the repository that a page links to, by their paths in it."""
    text = CODE.sub("", (ROOT / path).read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        name = unquote(target.split("#")[0])
        if not name or re.match(r"[a-z]+:", name):
            continue
        whole = (ROOT / PurePosixPath(path).parent / name).resolve()
        if whole.is_relative_to(ROOT):
            yield whole.relative_to(ROOT).as_posix()
