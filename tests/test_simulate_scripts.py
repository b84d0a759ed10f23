"""A script that is not as it should be is refused with its file, line and key. No synthesizer."""

from pathlib import Path

import pytest

from warmline.errors import ScriptError
from warmline.simulate import read_script

GOOD = """\
# A greeting.
[call]
title = "A greeting"

[sound]
snr_db = 30

[speakers.Ada]
role = "agent"
channel = 1
voice = "slt"

[[line]]
speaker = "Ada"
text = "Good morning."

[[line]]
speaker = "Ada"
text = "How can I help you?"
pause_s = 0.2
"""


def test_a_good_script_is_read(tmp_path: Path):
    path = tmp_path / "greeting.toml"
    path.write_text(GOOD)
    scene = read_script(path)
    assert scene.call.call_id == "greeting"
    assert [line.text for line in scene.lines] == ["Good morning.", "How can I help you?"]
    assert scene.lines[1].pause_s == 0.2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "A greeting"', "", "line 2: 'call.title' is missing"),
        ('title = "A greeting"', 'titel = "x"', "line 3: unknown key 'call.titel'"),
        ('title = "A greeting"', 'title = "x"\ncall_id = "a/b"', "line 4: call.call_id = 'a/b'"),
        ('title = "A greeting"', 'title = "x"\nstarted_at = 2026-01-01T10:00:00', "timezone"),
        ("snr_db = 30", "snr_db = 300", "line 6: sound.snr_db = 300: .* less than or equal to 80"),
        ("snr_db = 30", "snr = 30", "line 6: unknown key 'sound.snr'"),
        ('voice = "slt"', 'voice = "bob"', "line 11: speakers.Ada.voice: no voice 'bob'; there"),
        ('voice = "slt"', 'voice = "rms"\npitch_hz = 100', "line 8: .*pitch of voice 'rms' is fix"),
        ("channel = 1", "channel = 2", "line 10: speakers.Ada.channel = 2"),
        ("pause_s = 0.2", "pause = 0.2", "line 20: unknown key 'line.pause'"),
        ("pause_s = 0.2", "pause_s = true", "line 20: line.pause_s = True: .* valid number"),
        ("pause_s = 0.2", "backchannel = true", "line 17: .*at_word goes with"),
        ("pause_s = 0.2", "at_word = 2\nbackchannel = true\npause_s = 1", "leave out pause_s"),
        ("pause_s = 0.2", "holder_stops_s = 0.5", "goes with interrupts"),
        ("pause_s = 0.2", "hold_music_s = 3", "line 17: .*either text or hold_music_s"),
        ("pause_s = 0.2", 'cue_words = "help"', "line 17: .*cue_words .* go with cue"),
        ('"Good morning."', '"Call 911."', "line 15: line.text: only letters"),
        ('"Good morning."', '" ... "', "line 15: line.text: only letters"),
        ('speaker = "Ada"\ntext = "Good', 'text = "Good', "line 13: 'line.speaker' is missing"),
        ("[[line]]", "[[lines]]", "line 1: 'line' is missing"),
        ("[[line]]", "[line", "not valid TOML: .*at line 13"),
    ],
)
def test_a_wrong_script_is_refused_by_line_and_key(
    tmp_path: Path, old: str, new: str, message: str
):
    assert old in GOOD
    path = tmp_path / "wrong.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ScriptError, match=rf"(?s)wrong\.toml.*{message}"):
        read_script(path)


def test_every_mistake_is_told_at_once(tmp_path: Path):
    path = tmp_path / "wrong.toml"
    path.write_text(GOOD.replace("snr_db", "snr").replace("pause_s", "paus"))
    with pytest.raises(ScriptError) as refused:
        read_script(path)
    assert str(refused.value).count("unknown key") == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(ScriptError, match=r"none\.toml: cannot read the script \(No such file"):
        read_script(tmp_path / "none.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes("[call]\ntitle = 'Caf\xe9'".encode("latin-1"))
    with pytest.raises(ScriptError, match=r"latin\.toml: not UTF-8 text"):
        read_script(path)
