"""The landing folder: Parquet files written by any number of workers, and read by one loader.

It is the lasting result of the analyses; a warehouse can be built from it at any time.
"""

from warmline.landing.erasures import (
    LeftOut,
    finish,
    forgotten_keys,
    is_forgotten,
    is_unfinished,
    keep_forgotten,
    left_out,
    opt_in,
)
from warmline.landing.manifest import (
    Listed,
    ListedRecording,
    mark_of,
    read_listing,
    write_listing,
)
from warmline.landing.rewriting import (
    Compaction,
    Erased,
    Meant,
    Selection,
    carry_out,
    compact,
    counted,
    erase,
    matching,
    meant_by,
    remove,
    warehouse_to_build,
    with_words_before,
)
from warmline.landing.rows import (
    Known,
    Landed,
    known,
    metadata_fingerprint,
    peaks_of,
    read,
    read_landed,
    read_uncompacted,
    write,
)
from warmline.landing.store import LandingError, key_of

__all__ = [
    "Compaction",
    "Erased",
    "Known",
    "Landed",
    "LandingError",
    "LeftOut",
    "Listed",
    "ListedRecording",
    "Meant",
    "Selection",
    "carry_out",
    "compact",
    "counted",
    "erase",
    "finish",
    "forgotten_keys",
    "is_forgotten",
    "is_unfinished",
    "keep_forgotten",
    "key_of",
    "known",
    "left_out",
    "mark_of",
    "matching",
    "meant_by",
    "metadata_fingerprint",
    "opt_in",
    "peaks_of",
    "read",
    "read_landed",
    "read_listing",
    "read_uncompacted",
    "remove",
    "warehouse_to_build",
    "with_words_before",
    "write",
    "write_listing",
]
