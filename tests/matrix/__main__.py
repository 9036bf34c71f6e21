"""`python -m tests.matrix`: runs the cells one after the other, and prints a table of them."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path

from tests.matrix.cells import CELLS
from tests.matrix.run import CellError, build_wheel, run_cell
from tests.support.postgres import postgres

MYSQL = "MATRIX_MYSQL_URL"


def main() -> int:
    """Run the cells; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument(
        "--only", metavar="PATTERN", default="*", help="Run the cells whose names fit, such as 'py3.12-*'."
    )
    parser.add_argument("--list", action="store_true", help="Print the names of the cells, and run none.")
    arguments = parser.parse_args()
    cells = [cell for cell in CELLS if fnmatch(str(cell), arguments.only)]
    if arguments.list or not cells:
        print("\n".join(map(str, cells)) or f"No cell fits {arguments.only}; see --list.")
        return int(not cells)
    kept = Path(tempfile.mkdtemp(prefix="ecs-async-matrix-"))
    wheel, failed = build_wheel(kept / "dist"), 0
    with ExitStack() as stack:
        urls = {"sqlite": "", "mysql": os.environ.get(MYSQL)}
        if any(cell.database == "postgresql" for cell in cells):
            urls["postgresql"] = stack.enter_context(postgres())
        for cell in cells:
            url, began, folder = urls[cell.database], time.monotonic(), kept / str(cell)
            if url is None:
                print(
                    f"{cell}: not run; set {MYSQL} to the URL of a server, such as mysql://root:pw@localhost/"
                )
                failed += 1
                continue
            try:
                run_cell(cell, wheel, folder, url)
            except CellError as error:
                failed += 1
                print(f"{cell}: FAILED after {time.monotonic() - began:.0f} s. {error}", flush=True)
            else:
                shutil.rmtree(folder)
                print(f"{cell}: passed in {time.monotonic() - began:.0f} s", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
