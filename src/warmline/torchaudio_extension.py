"""Makes `import torchaudio` work when its compiled extension cannot be loaded.

The package index has only CUDA builds of torchaudio. Beside a CPU build of torch their compiled
extension fails to load (`libtorch_cuda.so` is missing), and the import with it, although everything
that pyannote.audio needs of torchaudio (resampling, Kaldi filter banks) is plain Python. torchaudio
knows the state "no extension was built" and works in it; the stand-in puts it into that state.
"""

import importlib
import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

_NAME = "torchaudio._extension"
_REASON = "needs torchaudio's compiled extension, which cannot be loaded beside this torch"


def make_torchaudio_importable() -> bool:
    """Import torchaudio, with a stand-in for its extension only if that fails to load.

    Returns whether the stand-in is in use. Functions of torchaudio that need the extension then
    raise a RuntimeError that says so; all others work. Any failure but that of the loader is the
    caller's to see.
    """
    try:
        importlib.import_module("torchaudio")
    except OSError:
        stand_in = _stand_in()
        sys.modules[_NAME] = stand_in
        try:
            torchaudio = importlib.import_module("torchaudio")
        except BaseException:
            del sys.modules[_NAME]
            raise
        vars(torchaudio)["_extension"] = stand_in
    return sys.modules[_NAME].__doc__ == _stand_in.__doc__


def _stand_in() -> ModuleType:
    """torchaudio._extension of a torchaudio that was built without compiled code."""
    module = ModuleType(_NAME, _stand_in.__doc__)
    names = {
        "_IS_TORCHAUDIO_EXT_AVAILABLE": False,
        "_IS_ALIGN_AVAILABLE": False,
        "_load_lib": lambda _lib: False,
        "_check_cuda_version": lambda: None,
        "fail_if_no_align": _refuse,
    }
    vars(module).update(names)
    return module


def _refuse(function: Callable[..., Any]) -> Callable[..., Any]:
    """In place of a function that needs the extension: one that says so when it is called."""

    @wraps(function)
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError(f"{function.__module__}.{function.__name__} {_REASON}")

    return refuse
