"""What a wheel installs is whole: SQL, flow and sample calls are where they are looked for."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow

LOOK = """
from warmline import __file__ as here
from warmline.query.questions import named_queries
from warmline.files import folder
from warmline.warehouse.tables import sql_files
print(here)
print(folder("flows") / "analyze_calls.py")
print(*(len(sql_files(kind)) for kind in ("tables", "macros", "marts", "views", "checks")))
print(len(named_queries()))
print(len(list((folder("audio") / "samples").glob("*.toml"))))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("a wheel is built from a checkout")
    to = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", f"--wheel-dir={to}"]
    subprocess.run([*command, str(ROOT)], check=True)
    (built,) = to.glob("*.whl")
    return built


def test_the_wheel_has_one_import_package_and_no_recordings_of_people(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"warmline"}
    sound = {".wav", ".flac", ".ogg", ".mp3"}
    for name in names:
        if Path(name).suffix in sound:
            assert name.startswith("warmline/audio/samples/"), name


def test_an_installed_wheel_finds_all_that_ships_beside_the_code(wheel, tmp_path):
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target"]
    subprocess.run([*install, str(tmp_path / "site"), str(wheel)], check=True)
    looked = subprocess.run(
        [sys.executable, "-c", LOOK],
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    site = str(tmp_path / "site" / "warmline")
    assert looked[0].startswith(site)
    assert looked[1] == f"{site}/flows/analyze_calls.py"
    assert Path(looked[1]).is_file()
    checkout = [len(list((ROOT / "warehouse" / k).glob("*.sql"))) for k in _SQL]
    assert [int(n) for n in looked[2].split()] == checkout
    assert int(looked[3]) == len(list((ROOT / "warehouse" / "queries").glob("*.sql")))
    assert int(looked[4]) == len(list((ROOT / "audio" / "samples").glob("*.toml")))


_SQL = ("tables", "macros", "marts", "views", "checks")
