"""Scenes become files that hold them, in the place of no real call."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from support.scenes import ada, cleo, needs_flite, scene
from warmline import simulate
from warmline.cli.develop import simulate as command
from warmline.errors import ScriptError, SynthesisError
from warmline.files import folder
from warmline.simulate import sounds


@needs_flite
@pytest.mark.parametrize(
    ("file_format", "name"), [("flac", "flac"), ("wav", "wav"), ("wav-mulaw", "wav")]
)
def test_files_hold_the_samples_and_the_truth(tmp_path: Path, file_format: str, name: str):
    import av

    call = simulate.render(scene(ada("Good morning."), cleo("Hello."), format=file_format))
    files = simulate.write(call, tmp_path)
    assert files.audio == tmp_path / f"test.{name}"
    with av.open(str(files.audio), "r") as container:
        parts = [f.to_ndarray().reshape(-1) for f in container.decode(audio=0)]
        assert container.streams.audio[0].rate == 8000
    assert np.array_equal(np.concatenate(parts).reshape(-1, 2).T, call.pcm)
    truth = simulate.load_truth(files.truth)
    assert truth.overlaps == call.truth.overlaps
    assert [w.text for w in truth.words] == [w.text for w in call.truth.words]
    for kept, word in zip(truth.words, call.truth.words, strict=True):
        assert (kept.start_s, kept.end_s) == pytest.approx((word.start_s, word.end_s), abs=1e-4)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.*")}
    simulate.write(call, tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.*")} == before


@needs_flite
@pytest.mark.parametrize("sidecar", [None, "{}", "not json", '{"is_simulated": "true"}'])
def test_a_real_recording_is_never_overwritten(tmp_path: Path, sidecar: str | None):
    call = simulate.render(scene(ada("Good morning.")))
    real = tmp_path / "test.flac"
    real.write_bytes(b"a real call")
    if sidecar is not None:
        (tmp_path / "test.json").write_text(sidecar)
    with pytest.raises(ScriptError, match="not marked as simulated"):
        simulate.write(call, tmp_path)
    assert real.read_bytes() == b"a real call"


@needs_flite
def test_a_shipped_sample_is_what_its_script_says():
    samples = folder("audio") / "samples"
    played = simulate.render_script(samples / "feedback-call.toml").truth
    shipped = simulate.load_truth(samples / simulate.TRUTH_FOLDER / "feedback-call.json")
    assert [w.text for w in played.words] == [w.text for w in shipped.words]
    starts = [[w.start_s for w in truth.words] for truth in (played, shipped)]
    assert starts[0] == pytest.approx(starts[1], abs=0.01)
    assert [m.kind for m in played.moments] == [m.kind for m in shipped.moments]


@needs_flite
def test_the_command_tells_what_it_played_and_where_it_is(tmp_path: Path):
    script = tmp_path / "greeting.toml"
    script.write_text(
        '[call]\ntitle = "A greeting"\n[speakers.Cleo]\nrole = "customer"\nchannel = 0\n'
        'voice = "awb"\n[[line]]\nspeaker = "Cleo"\ntext = "I am so worried."\n'
        'cue = "fear_anxiety"\n'
    )
    app = typer.Typer()
    app.command()(command)
    told = CliRunner().invoke(app, [str(script), "--to", str(tmp_path / "calls"), "--json"])
    assert told.exit_code == 0
    (played,) = json.loads(told.stdout)
    assert (played["call_id"], played["title"]) == ("greeting", "A greeting")
    assert (played["events"]["cue"], played["events"]["answered"]) == (1, 0)
    assert all(Path(played[kind]).is_file() for kind in ("audio", "metadata", "truth"))
    table = CliRunner().invoke(app, [str(script), "--to", str(tmp_path / "calls")])
    assert "greeting" in table.stdout


def test_a_missing_engine_names_the_package():
    with pytest.raises(SynthesisError, match="apt-get install flite"):
        sounds._load("libflite_that_is_not_there.so.1")
