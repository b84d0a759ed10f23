"""Where analyses land: Parquet files, written by any number of workers, read by one loader.

A landing folder is the lasting result of listening; a warehouse can be built from it at any time.
"""

from warmline.landing.forgetting import (
    Erased,
    Selection,
    erase,
    finish,
    forgotten_keys,
    is_forgotten,
    is_unfinished,
    keep_forgotten,
    matching,
)
from warmline.landing.known import Known, Landed, known, read_landed, read_loose
from warmline.landing.listings import (
    Listed,
    ListedRecording,
    mark_of,
    read_listing,
    write_listing,
)
from warmline.landing.packs import Packing, compact, remove
from warmline.landing.places import LandingError
from warmline.landing.rows import metadata_fingerprint, read, write

__all__ = [
    "Erased",
    "Known",
    "Landed",
    "LandingError",
    "Listed",
    "ListedRecording",
    "Packing",
    "Selection",
    "compact",
    "erase",
    "finish",
    "forgotten_keys",
    "is_forgotten",
    "is_unfinished",
    "keep_forgotten",
    "known",
    "mark_of",
    "matching",
    "metadata_fingerprint",
    "read",
    "read_landed",
    "read_listing",
    "read_loose",
    "remove",
    "write",
    "write_listing",
]
