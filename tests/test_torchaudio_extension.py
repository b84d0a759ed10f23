"""torchaudio is imported as it is where that works, and without its compiled part where not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from warmline.models.engines import make_torchaudio_importable

PACKAGE = """
from . import _extension
from torchaudio._extension import fail_if_no_align, _IS_TORCHAUDIO_EXT_AVAILABLE as has_extension
@fail_if_no_align
def forced_align():
    return "aligned"
"""


@pytest.fixture
def torchaudio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A torchaudio whose extension file the test writes, in place of the installed one."""
    package = tmp_path / "torchaudio"
    (package / "_extension").mkdir(parents=True)
    (package / "__init__.py").write_text(PACKAGE)
    installed = {n: m for n, m in sys.modules.items() if n.split(".")[0] == "torchaudio"}
    for name in installed:
        del sys.modules[name]
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in [n for n in sys.modules if n.split(".")[0] == "torchaudio"]:
        del sys.modules[name]
    sys.modules.update(installed)


def extension(package: Path, code: str) -> None:
    (package / "_extension" / "__init__.py").write_text(code)


def test_an_extension_that_does_not_load_is_stood_in_for(torchaudio: Path) -> None:
    extension(torchaudio, "raise OSError('libtorch_cuda.so: cannot open shared object file')")
    assert make_torchaudio_importable() is True
    import torchaudio as imported

    assert imported.has_extension is False
    assert imported._extension._load_lib("torchaudio_prefixctc") is False
    with pytest.raises(
        RuntimeError, match=r"torchaudio\.forced_align needs .* which cannot be loaded"
    ):
        imported.forced_align()
    assert make_torchaudio_importable() is True


def test_an_extension_that_loads_is_used(torchaudio: Path) -> None:
    extension(torchaudio, "_IS_TORCHAUDIO_EXT_AVAILABLE = True\nfail_if_no_align = lambda f: f")
    assert make_torchaudio_importable() is False
    import torchaudio as imported

    assert imported.has_extension is True
    assert imported.forced_align() == "aligned"


def test_another_fault_is_not_hidden(torchaudio: Path) -> None:
    extension(torchaudio, "raise RuntimeError('compiled with different CUDA versions')")
    with pytest.raises(RuntimeError, match="different CUDA versions"):
        make_torchaudio_importable()
    assert "torchaudio._extension" not in sys.modules


def test_a_torchaudio_broken_elsewhere_too_is_not_hidden(torchaudio: Path) -> None:
    extension(torchaudio, "raise OSError('no library')")
    with (torchaudio / "__init__.py").open("a") as file:
        file.write("raise OSError('another library')")
    with pytest.raises(OSError, match="another library"):
        make_torchaudio_importable()
    assert "torchaudio._extension" not in sys.modules


def test_what_pyannote_needs_of_the_installed_torchaudio_works() -> None:
    make_torchaudio_importable()
    import torch
    import torchaudio.compliance.kaldi as kaldi
    from torchaudio.functional import resample

    tone = torch.sin(2 * torch.pi * 440 * torch.arange(8000) / 8000)[None]
    resampled = resample(tone, 8000, 16000)
    assert resampled.shape == (1, 16000)
    spectrum = torch.fft.rfft(resampled[0]).abs()
    assert int(spectrum.argmax()) == 440
    assert kaldi.fbank(resampled, num_mel_bins=80, sample_frequency=16000).shape == (98, 80)
