"""Rate every page with Lighthouse, and write the table of scores.

`npm install lighthouse@12.2.3` puts it into `node_modules/.bin`; `--lighthouse` says where it is.
The warehouse is that of `web.py`, a million calls, unless another one is named.
"""

import argparse
import json
import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from accounting import machine
from web import ADDRESSES, CALLS, FLAGS, build, cache_folder, serving

SCORES = ("performance", "accessibility", "best-practices")


def rated(lighthouse: str, address: str, cookie: str) -> dict[str, Any]:
    """Return the report of Lighthouse on a page, seen on a desktop by whoever has the cookie.

    Chromium now and then records nothing, and Lighthouse asks to be run again: three times at most.
    """
    for _ in range(2):
        with suppress(subprocess.CalledProcessError):
            return _rated(lighthouse, address, cookie)
    return _rated(lighthouse, address, cookie)


def _rated(lighthouse: str, address: str, cookie: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        headers = Path(folder, "headers.json")
        headers.write_text(json.dumps({"Cookie": cookie}))
        subprocess.run(
            [
                *(lighthouse, address, "--quiet", "--preset=desktop", "--output=json"),
                *(f"--extra-headers={headers}", f"--output-path={folder}/report.json"),
                *(f"--only-categories={','.join(SCORES)}", "--disable-storage-reset"),
                f"--chrome-flags={' '.join(('--headless=new', *FLAGS))}",
            ],
            check=True,
            env={**os.environ, "CHROME_PATH": "/usr/bin/chromium"},
        )
        report: dict[str, Any] = json.loads(Path(folder, "report.json").read_text())
    return report


def row(name: str, report: dict[str, Any]) -> str:
    """Return a row of the table; a score that Lighthouse could not give says so."""
    scores = (report["categories"][each]["score"] for each in SCORES)
    audits = report["audits"]
    times = [
        audits[each].get("displayValue", "") for each in ("first-contentful-paint", "interactive")
    ]
    cells = ["none" if score is None else f"{100 * score:.0f}" for score in scores]
    return f"| {' | '.join((name, *cells, *times))} |"


def main() -> None:
    """Rate the pages and write the page of results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lighthouse", default="lighthouse", help="the program")
    parser.add_argument("--warehouse", type=Path, help="instead of the one of web.py")
    parser.add_argument(
        "--to", type=Path, default=Path(__file__).with_name("RESULTS-lighthouse.md")
    )
    asked = parser.parse_args()
    warehouse = asked.warehouse or build(cache_folder(CALLS), CALLS)
    rows, version = [], ""
    with serving(warehouse) as (base, link, _), httpx.Client(base_url=base) as client:
        client.get(link)
        cookie = "; ".join(f"{c.name}={c.value}" for c in client.cookies.jar)
        for name, address in ADDRESSES.items():
            report = rated(asked.lighthouse, base + address, cookie)
            assert report["finalDisplayedUrl"] == base + address, report["finalDisplayedUrl"]
            version = report["lighthouseVersion"]
            rows.append(row(name, report))
    lines = [
        "# What Lighthouse says of the pages\n",
        f"`python benchmarks/lighthouse.py`, Lighthouse {version} (desktop), on {machine()}. "
        "Out of 100; the warehouse is that of [RESULTS-web.md](RESULTS-web.md).\n",
        "| page | performance | accessibility | best practices | first paint | interactive |",
        "|---|---|---|---|---|---|",
        *rows,
    ]
    asked.to.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
