"""The worked examples of CONTRIBUTING.md, applied to a copy of the project and run there."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.once import Once

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "CONTRIBUTING.md"
#: What the examples change, and what their tests need.
COPIED = ("src", "warehouse", "flows", "tests", "pyproject.toml")
EDIT = re.compile(
    r"^`(?P<path>[^`\n]+)`, (?P<how>a new file|at its end|after `(?P<after>[^`\n]+)`"
    r"|in the place of `(?P<old>[^`\n]+)`):\n\n```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)

VIEWS = "tests/test_warehouse_views.py"

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="the guide is part of the checkout")


@dataclass(frozen=True)
class Edit:
    """A change of one file, as the guide words it."""

    path: str
    is_new: bool
    text: str
    after: str | None
    old: str | None

    def apply(self, root: Path) -> None:
        file = root / self.path
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        if line := self.after or self.old:
            assert before.count(f"{line}\n") == 1, f"{self.path}: one line is to be: {line}"
            kept = f"{line}\n" if self.after else ""
            file.write_text(before.replace(f"{line}\n", kept + self.text), encoding="utf-8")
        else:
            file.write_text(before + self.text, encoding="utf-8")


def edits() -> list[Edit]:
    text = GUIDE.read_text(encoding="utf-8")
    found = [
        Edit(m["path"], m["how"] == "a new file", m["text"], m["after"], m["old"])
        for m in EDIT.finditer(text)
    ]
    code = re.findall(r"^```(?:toml|sql|python)$", text, re.MULTILINE)
    assert len(found) == len(code), "an example says where it belongs in other words"
    return found


def apply_examples(to: Path) -> None:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name)  # with what Python has compiled of it
        else:
            shutil.copyfile(ROOT / name, to / name)
    for edit in edits():
        assert (to / edit.path).exists() != edit.is_new, f"{edit.path}: a new file, or a known one?"
        edit.apply(to)


@pytest.fixture
def changed(once: Once) -> Path:
    """A copy of the project with all the examples in it; to be read only."""
    return once.made("contributed", apply_examples)


def python(changed: Path, *arguments: str) -> str:
    """What a program says that runs with the changed code."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=changed,
        env=os.environ | {"PYTHONPATH": str(changed / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_examples_pass_their_tests_and_those_of_what_they_change(
    changed: Path, tmp_path: Path
) -> None:
    names = (
        "tests/test_language_rules.py::test_every_rule_does_what_its_examples_say[offer.points]",
        "tests/test_questions.py::test_busiest_hours",
        "tests/test_questions.py::test_every_named_query_is_tested_and_described",
        "tests/test_warehouse_checks.py::test_every_check_is_tried",
        "tests/test_warehouse_checks.py::test_a_check_finds_what_is_planted"
        "[calls_take_time-statements0]",
        "tests/test_warehouse_checks.py::test_checks_find_nothing_in_a_sound_warehouse",
        "tests/test_floor.py::test_silences_that_are_no_dead_air_are_counted",
        VIEWS,
        "tests/test_models_store.py::TestCatalogue",
        "tests/test_pipeline_stages.py",
    )
    place = ("-p", "no:cacheprovider", "--basetemp", str(tmp_path / "base"))
    # What takes seconds and none of the examples touches.
    untouched = (
        f"{VIEWS}::test_agents_who_are_all_alike_are_not_told_apart",
        "tests/test_pipeline_stages.py::test_who_took_the_call_is_no_part_of_what_was_heard",
        "tests/test_models_store.py::TestCatalogue::"
        "test_digests_of_whispers_own_checkpoints_are_those_openai_whisper_checks",
    )
    place += tuple(f"--deselect={name}" for name in untouched)
    said = python(changed, "-m", "pytest", *place, *names)
    assert "skipped" not in said, said


MODEL = """
import sys
from pathlib import Path
import warmline
from warmline.models.engines import Engines
from warmline.models import ModelStore, SourceName
from warmline.pipeline.stages import STAGES
assert Path(warmline.__file__).is_relative_to(Path.cwd())
place = Path(sys.argv[1])
store = ModelStore(place / "store", order=(SourceName.LOCAL,), offered=place)
store.pull(["question-words"])
print(Engines(store).question_words())
print([stage.name for stage in STAGES if "question-words" in stage.models])
"""


def test_the_model_is_pulled_loaded_and_named_by_its_stage(changed: Path, tmp_path: Path) -> None:
    (tmp_path / "question-words.json").write_text('{"who": 1.0, "why": 2.0}\n')
    assert python(changed, "-c", MODEL, str(tmp_path)).splitlines() == [
        "{'who': 1.0, 'why': 2.0}",
        "['language']",
    ]
