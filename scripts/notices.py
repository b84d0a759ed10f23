"""Print THIRD_PARTY.md: every package that is installed beside warmline, with its licence.

Licences are what each package says of itself in its metadata.
"""

import sys
from importlib.metadata import Distribution, distributions

HEADER = """\
# Third-party notices

Made by `make notices` from what the installed packages say of themselves. warmline itself is under
Apache-2.0 and contains none of them; they are installed beside it. What to look at before passing
an installation on:

- **PyAV** (BSD-3-Clause) comes as a wheel that carries FFmpeg's libraries built with GPL parts
  (x264, x265 among them). Using it is free; whoever *distributes* a product with that wheel in it
  distributes GPL code, and owes its source. A PyAV built against an LGPL FFmpeg of your own
  (`pip install --no-binary av av`) has no such parts; warmline needs none of them.
- **Pebble** and **soxr** (LGPL) are used as unchanged libraries that can be replaced, as the LGPL
  asks. praat-parselmouth (GPL) is asked for by tests alone, and is no part of an installation.
- **Models** are not packages: `warmline models list` says each one's licence. The networks that
  ship in `src/warmline/language/networks` were trained on GoEmotions (Apache-2.0), EPITOME
  (Sharma et al. 2020, with attribution) and **XED** (Öhman, Pàmies, Kajava & Tiedemann 2020,
  [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)): lines of films with Plutchik's
  emotions. Its labels were mapped to four feelings, and none of its text is in the weights.
- **htmx** (0BSD) and **Pico.css** (MIT) ship as they are in `src/warmline/web/static/vendor`, with
  their licences; `vendor.lock.json` beside them says which version and which bytes.
- **axe-core** (MPL-2.0) comes in axe-playwright-python, which tests alone ask for.
- Sample calls were spoken by Flite's voices (BSD-like licence).

| package | version | licence |
|---|---|---|
"""
LONGEST = 80


def licence_of(package: Distribution) -> str:
    """Return a package's licence in one line: its expression, its classifiers, or what it wrote."""
    if expression := package.metadata.get("License-Expression"):
        return str(expression)
    classifiers = [
        line.rsplit("::", 1)[-1].strip()
        for line in package.metadata.get_all("Classifier") or ()
        if line.startswith("License ::") and line.rsplit("::", 1)[-1].strip() != "OSI Approved"
    ]
    if classifiers:
        return ", ".join(dict.fromkeys(classifiers))
    written = str(package.metadata.get("License") or "").strip()
    line = written.splitlines()[0] if written else "not said"
    return line[:LONGEST]


def main() -> None:
    """Write the page to standard output."""
    packages = {d.metadata["Name"].lower(): d for d in distributions()}
    rows = [
        f"| {name} | {packages[name].version.split('+')[0]} | {licence_of(packages[name])} |"
        for name in sorted(packages.keys() - {"warmline", "pip", "setuptools"})
    ]
    sys.stdout.write(HEADER + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
