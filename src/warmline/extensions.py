"""DuckDB's extensions, taken from the packages that carry them: nothing is downloaded."""

import importlib
from pathlib import Path

import duckdb

from warmline.errors import WarehouseError


def load_extension(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension into a connection, before its access to files is switched off.

    Its signature is checked by DuckDB. Raises WarehouseError when the package that carries it is
    not installed, or carries it for another version of DuckDB.
    """
    package = f"duckdb_extension_{name}"
    wanted = f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"
    try:
        carrier = importlib.import_module(package)
    except ModuleNotFoundError as e:
        raise WarehouseError(
            f"DuckDB's extension {name} is missing: pip install "
            f"{package.replace('_', '-')}=={duckdb.__version__}"
        ) from e
    file = Path(carrier.__path__[0]) / wanted
    try:
        con.execute(f"LOAD '{str(file).replace(chr(39), chr(39) * 2)}'")
    except duckdb.Error as e:
        raise WarehouseError(
            f"DuckDB {duckdb.__version__} cannot load its extension {name} from {file}: "
            f"{str(e).splitlines()[0]}"
        ) from e
