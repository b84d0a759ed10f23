"""The command line: help for everything, errors in one line, pages that read well at any width."""

import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Timer

import click
import duckdb
import pytest
import typer
from typer.testing import CliRunner

from support import factories
from support.forked import ended
from warmline import __version__, cli, landing, run
from warmline.analysis import Backchannel, Overlap, Silence, missing_metric
from warmline.cli import COMMANDS, app
from warmline.cli.batch import _print_next, print_summary
from warmline.cli.common import ExitCode
from warmline.cli.show import strip
from warmline.database import open_for_reading, open_without_warehouse
from warmline.errors import WarehouseError
from warmline.query.calls import clock, evidence_text, value_text
from warmline.values import Span
from warmline.warehouse.publishing import publish

SAYS = [
    ("B", 0.0, 4.0, "Thank you for calling, how can I help you?"),
    ("A", 4.5, 12.0, "My card is lost and I am [really] worried that somebody is using it."),
    ("B", 11.5, 18.0, "I am so sorry, let me block it for you right now."),
    ("A", 24.0, 27.0, ""),
]


def warmline(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def commands(command: click.Command, name: str = "warmline"):
    yield name, command
    for child, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, f"{name} {child}")


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_every_command_and_option_has_help(name, command):
    assert command.help, f"{name} has no help"
    for parameter in command.params:
        if parameter.name not in {"install_completion", "show_completion"}:
            assert getattr(parameter, "help", None), f"{name} {parameter.name} has no help"
    shown = warmline(*name.split()[1:], "--help")
    assert shown.exit_code == 0
    assert "<bool>" not in shown.output, "a flag has no value to type"


def test_the_list_of_commands_says_what_each_says_of_itself():
    first = {
        name.removeprefix("warmline "): " ".join(command.help.split("\n\n")[0].split())
        for name, command in ALL
    }
    assert {name: listed.summary for name, listed in COMMANDS.items()} == {
        name: first[name] for name in COMMANDS
    }


def test_help_imports_little_and_a_command_only_its_own_module():
    """So many milliseconds does everybody wait who types `warmline`."""
    heavy = ("numpy", "pydantic", "duckdb", "pyarrow", "pandas", "torch", "httpx", "warmline.cli.")
    code = (
        "import sys; from warmline.cli import main; sys.argv[1:] = {words}\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(len(sys.modules), *sys.modules, file=sys.stderr)"
    )

    def imported(*words: str) -> list[str]:
        ran = subprocess.run(
            [sys.executable, "-c", code.format(words=words)],
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stderr.split()[1:]

    found = imported("--help")
    assert [name for name in found if name.startswith(heavy)] == ["warmline.cli.common"]
    assert len(found) < 450
    found = [name for name in imported("models", "--help") if name.startswith("warmline.cli.")]
    assert found == ["warmline.cli.common", "warmline.cli.models"]


@pytest.mark.parametrize(("words", "is_left_out"), [("show c-1", True), ("research", False)])
def test_pandas_is_imported_only_for_what_computes_with_it(monkeypatch, words, is_left_out):
    """DuckDB would import it for the first value it is given: 0.35 of the 0.9 s of `show`."""
    left_out = []
    monkeypatch.setattr(cli, "leave_pandas_out", lambda: left_out.append(True))
    monkeypatch.setattr(sys, "argv", ["warmline", *words.split()])
    monkeypatch.setattr(cli, "app", lambda: None)
    cli.main()
    assert left_out == [True] * is_left_out


def test_the_commands_of_the_house_are_there():
    names = {name.removeprefix("warmline ") for name, _ in ALL}
    assert names >= {
        *("analyze", "models", "query", "show", "check", "nightly", "simulate", "demo", "settings"),
        *("models list", "models pull", "models verify"),
    }


def test_exit_codes_are_documented():
    text = " ".join(warmline("--help").output.split())
    for code in ExitCode:
        assert f" {code.value} " in text, code


def test_version():
    assert warmline("--version").output.strip() == f"warmline {__version__}"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shown")
    call = factories.call(
        "c-17",
        says=SAYS,
        agent_id="E204",
        cues=[
            factories.cue(
                1, 6, 9, "really worried", answer="affective", answer_turn_index=2, latency_s=2.5
            ),
            factories.cue(1, 9, 11, "somebody is using [card]", "anger_frustration"),
        ],
        moments=[factories.moment("apology", 2, 11.5, 12.5, "so sorry")],
        overlaps=[Overlap(11.5, 12.0, "A", "B", "interruption", True, False)],
        silences=[Silence(18.0, 24.0, "dead_air")],
        backchannels=[Backchannel(6.0, 6.4, "B", "mm-hm")],
        metrics=[
            factories.measured("talk_share", "A", 0.45, numerator=9.0, denominator=20.0),
            factories.measured("dead_air_s", None, 6.0, evidence=(Span(18.0, 24.0),)),
            missing_metric("opening_story_s", "A", "the agent did not interrupt"),
        ],
    )
    landing.write(call, folder / "landing")
    landing.write(factories.call("c-18", path="/calls/other/evening.wav"), folder / "landing")
    landing.write(factories.without_analysis("broken"), folder / "landing")
    path = folder / "warehouse.duckdb"
    publish(folder / "landing", path, factories.definitions_of([call]))
    return path


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_page_fits_its_width_and_says_what_was_found(warehouse, width):
    shown = warmline("show", "c-17", "--warehouse", warehouse, "--width", width)
    assert shown.exit_code == 0
    assert max(map(len, shown.output.splitlines())) <= width
    assert "…" not in shown.output, "whose a measure is, and its value, are not cut off"
    text = " ".join(shown.output.split())
    for part in (
        "agent E204",
        "I am [really] worried",
        "no words recognised",
        '+ cue, fear anxiety: "really worried"',
        '? cue, anger frustration: "somebody is using [card]" -> ignored',
        "affective answer to the cue at 0:06, 2.5 s after it",
        "! interrupts customer (competitive, takes the floor)",
        "nobody speaks for 6.0 s",
        "meanwhile agent: mm-hm",
        "apology",
        "the agent did not interrupt: opening_story_s (customer)",
    ):
        assert part in text, part
    assert text.index("Thank you for calling") < text.index("My card is lost")
    assert text.count("[card]") == 2, "in the transcript and in the ledger"


def test_a_page_names_the_speakers_by_their_roles(warehouse):
    lines = warmline("show", "c-17", "--warehouse", warehouse, "--width", 100).output.splitlines()
    assert any(line.strip().startswith("0:00  agent") for line in lines)
    assert any(line.strip().startswith("0:04  customer") for line in lines)


def test_a_page_for_a_machine_has_all_rows(warehouse):
    page = json.loads(warmline("show", "c-17", "--warehouse", warehouse, "--json").output)
    assert page["call"]["call_id"] == "c-17"
    assert [turn["text"] for turn in page["turns"]] == [text for *_, text in SAYS]
    assert {m["name"] for m in page["metrics"]} >= {"talk_share", "opening_story_s"}


def test_a_refused_recording_has_a_page_with_the_reason(warehouse):
    shown = warmline("show", "broken", "--warehouse", warehouse, "--width", 80)
    assert "refused: the file has no bytes" in shown.output


def test_a_call_is_found_by_its_file(warehouse):
    assert "c-18" in warmline("show", "evening.wav", "--warehouse", warehouse).output


def test_an_unknown_call_gets_the_closest_names(warehouse):
    shown = warmline("show", "c-71", "--warehouse", warehouse)
    assert shown.exit_code == ExitCode.ERROR
    assert "no call is called 'c-71'; closest: c-17" in shown.stderr


def test_a_beginning_that_two_calls_share_is_asked_back(warehouse):
    shown = warmline("show", "c-1", "--warehouse", warehouse)
    assert shown.exit_code == ExitCode.ERROR
    assert "c-17, c-18" in shown.stderr


def test_no_warehouse_is_one_line(tmp_path):
    shown = warmline("show", "c-17", "--warehouse", tmp_path / "none.duckdb")
    assert shown.exit_code == ExitCode.ERROR
    assert len(shown.stderr.strip().splitlines()) == 1
    assert "warmline analyze" in shown.stderr


def test_settings_are_printed_and_checked(tmp_path):
    printed = warmline("settings").output
    file = tmp_path / "mine.toml"
    file.write_text(printed)
    assert warmline("settings", "--check", file).exit_code == 0
    file.write_text(printed.replace("dead_air_s", "dead_hair_s", 1))
    checked = warmline("settings", "--check", file)
    assert checked.exit_code == ExitCode.ERROR
    assert "floor.dead_hair_s" in checked.stderr


def test_a_file_here_is_taken_as_settings(tmp_path, monkeypatch):
    (tmp_path / "warmline.toml").write_text('[words]\nwhisper_model = "small"\n')
    monkeypatch.chdir(tmp_path)
    taken = warmline("settings")
    assert 'whisper_model = "small"' in taken.stdout
    assert str(tmp_path / "warmline.toml") in taken.stderr.replace("\n", "")
    assert warmline("settings", "--settings", tmp_path / "warmline.toml").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--jobs", -1), "night.jobs = -1"),
        (("--redo", "listening"), "no stage is called listening"),
        (("--whisper-model", "huge"), "openai-whisper has no model 'huge'"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, arguments, said):
    refused = warmline("analyze", tmp_path, "--warehouse", tmp_path / "w.duckdb", *arguments)
    assert refused.exit_code == ExitCode.ERROR
    assert said in " ".join(refused.stderr.split())


def test_a_missing_folder_is_named(tmp_path):
    refused = warmline("analyze", tmp_path / "nowhere", "--warehouse", tmp_path / "w.duckdb")
    assert refused.exit_code == ExitCode.ERROR
    assert "nowhere" in refused.stderr
    assert not (tmp_path / "w.duckdb").exists()


def test_wrong_usage_has_its_own_exit_code():
    assert warmline("analyze").exit_code == ExitCode.USAGE
    assert warmline("analyse").exit_code == ExitCode.USAGE


def test_an_unforeseen_error_is_one_line_unless_asked(monkeypatch, warehouse):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("warmline.query.calls.read_page", broken)
    shown = warmline("show", "c-17", "--warehouse", warehouse)
    assert shown.exit_code == ExitCode.FAULT
    assert "fault in warmline: ZeroDivisionError" in shown.stderr
    assert "--debug" in shown.stderr
    told = warmline("--debug", "show", "c-17", "--warehouse", warehouse)
    assert isinstance(told.exception, ZeroDivisionError)


def test_the_night_needs_something_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = warmline("nightly", "--once")
    assert refused.exit_code == ExitCode.ERROR
    assert "night.sources" in refused.stderr


def test_questions_start_without_what_listens():
    """What `query` imports decides how soon it answers."""
    code = (
        "import sys; from warmline.cli import app; import warmline.query.questions; "
        "print([m for m in ('torch', 'whisper', 'librosa', 'pyannote.core', 'sklearn', 'pandas', "
        "'pyarrow', 'prefect', 'av', 'scipy') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0:00"), (75.9, "1:15"), (3599.9, "59:59"), (3661.0, "1:01:01")]
)
def test_times_read_like_a_clock(seconds, text):
    assert clock(seconds) == text


def test_a_strip_is_full_where_somebody_speaks():
    spans = [{"start_s": 0.0, "end_s": 5.0}, {"start_s": 9.0, "end_s": 10.0}]
    assert strip(spans, 10.0, 10) == "█████    █"
    assert strip([], 10.0, 4) == "    "
    assert strip([{"start_s": 2.0, "end_s": 2.3}], 10.0, 10) == "  ▄       "


def test_evidence_says_how_much_more_there_is():
    places = [{"start_s": s, "end_s": s + 1} for s in (5, 65, 125)]
    assert evidence_text(places, 30) == "0:05 1:05 2:05"
    assert evidence_text(places, 10) == "0:05 +2"
    assert evidence_text([], 10) == ""


def test_values_carry_their_unit():
    assert value_text(0.421, "share") == "42%"
    assert value_text(None, "s") == "-"
    assert value_text(2.5, "LUFS") == "2.5 LUFS"


@pytest.mark.models
def test_a_folder_of_sound_that_is_not_read_is_an_error(tmp_path, engines):
    for name in ("a.g729", "b.sln", "c.vox"):
        (tmp_path / name).write_bytes(bytes(range(256)))
    done = CliRunner().invoke(
        app, ["analyze", str(tmp_path), "--warehouse", str(tmp_path / "w.duckdb")]
    )
    assert done.exit_code == ExitCode.ERROR
    message = " ".join(done.stderr.split())
    assert "no recordings found" in message
    assert "a.g729, b.sln, c.vox" in message
    assert "without a header" in message


@pytest.mark.parametrize("request_to_end", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_interrupts_unless_it_is_ignored(monkeypatch, request_to_end):
    """A terminal that is closed ends a run in order; under `nohup` it goes on."""
    monkeypatch.setattr(cli, "app", lambda: signal.raise_signal(request_to_end))
    monkeypatch.setattr(cli, "leave_pandas_out", lambda: None)  # other tests compute with it
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(request_to_end, signal.SIG_DFL)  # these tests may run under `nohup`, too
        with pytest.raises(KeyboardInterrupt):
            cli.main()
        signal.signal(request_to_end, signal.SIG_IGN)
        with suppress(KeyboardInterrupt):
            cli.main()
            return
        pytest.fail("what is ignored was not")
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_an_interrupt_is_one_also_while_the_database_is_at_work(monkeypatch, tmp_path):
    """DuckDB makes an error of it, which would end a night as a fault."""

    def counting_for_long(*_):
        with open_without_warehouse() as con:
            con.execute("SET threads = 1")  # with more, it waits for what these have begun
            Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            con.execute("SELECT sum(hash(a.range * b.range)) FROM range(100000) a, range(30000) b")

    monkeypatch.setattr("warmline.run.failed_calls", counting_for_long)
    # A shell has what it runs in the background ignore interrupts, and so these tests with it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        done = warmline("retry", "--landing", tmp_path / "landing")
        assert done.exit_code == ExitCode.INTERRUPTED
        assert "interrupted; what was finished is kept" in " ".join(done.output.split())
        with pytest.raises(KeyboardInterrupt):
            run._step(run.RunHooks(), "plan", counting_for_long)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_damaged_warehouse_is_called_damaged_with_what_to_do(warehouse, tmp_path):
    """Wherever the byte is; DuckDB's reason speaks of a block, which is no lock."""
    whole, spoiled = warehouse.read_bytes(), tmp_path / "w.duckdb"
    told = []
    for at in range(12_288, len(whole), len(whole) // 20):
        spoiled.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        try:
            with open_for_reading(spoiled) as con:
                con.execute("SELECT * FROM calls").fetchall()
        except WarehouseError as e:
            told.append(str(e))
        except duckdb.IOException:
            pass
        else:
            continue
        done = warmline("show", "c-17", "--warehouse", spoiled)
        assert done.exit_code == ExitCode.ERROR
        assert "damaged; delete it" in " ".join(done.output.split())
    assert told and not any("another program" in said for said in told)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("query", "SELECT '\udcff'"), 0),
        (("query", "phrase", "-p", "text=\udcff"), 0),
        (("search", "\udcff"), 1),
        (("query", "SELECT 1", "--timeout", "inf"), 2),
        (("export", "-f", "parquet", "--to", "t.parquet", "--query", "SELECT 2::HUGEINT ** 99"), 0),
        (("export", "-f", "parquet", "--to", "t.parquet", "--query", f"SELECT {2**99}"), 1),
    ],
)
def test_what_is_typed_is_never_a_fault(warehouse, tmp_path, monkeypatch, words, code):
    monkeypatch.chdir(tmp_path)
    done = warmline(*words, "--warehouse", warehouse)
    assert done.exit_code == code, done.output


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
@pytest.mark.parametrize("words", [["--help"], ["query", "--help"], ["settings"]])
def test_output_that_nobody_reads_is_done_and_a_full_disk_is_one_line(capfd, words):
    def into(stream: int) -> int:
        def call() -> None:
            sys.stdout = os.fdopen(stream, "w")
            cli.app(words)

        return ended(call)

    reading, writing = os.pipe()
    os.close(reading)
    assert into(writing) == ExitCode.DONE
    assert not capfd.readouterr().err
    assert into(os.open("/dev/full", os.O_WRONLY)) == ExitCode.ERROR
    assert capfd.readouterr().err.startswith("error: No space left on device, for what is printed")


def test_what_could_not_be_analyzed_is_named_once(capsys):
    reasons = {"a.wav": "no speech in it", "b.wav": "b.wav: the file is empty", "c.wav": None}
    print_summary(
        [{"status": "refused", "reason": why, "path": f"/x/{n}"} for n, why in reasons.items()]
    )
    assert capsys.readouterr().out.split("\n")[:3] == [
        "refused   a.wav: no speech in it",
        "refused   b.wav: the file is empty",
        "refused   c.wav",
    ]


def test_what_to_type_next_reaches_a_call_that_is_called_as_an_option(capsys, warehouse):
    _print_next(warehouse, [{"call_id": "--help", "status": "analyzed", "opportunities": 1.0}])
    (command,) = (line for line in capsys.readouterr().out.splitlines() if " show " in line)
    assert "no call is called '--help'" in warmline(*shlex.split(command)[1:]).stderr
