"""`./space faults`: every fault, one after the other; then docs/reliability.md.

python -m tests.faults [ARGUMENTS OF PYTEST]     with arguments the document stays as it is
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.faults import report
from tests.faults.measured import Measured

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".space" / "faults"
DOCUMENT = ROOT / "docs" / "reliability.md"


def main(arguments: list[str]) -> int:
    results = KEPT / "results"
    shutil.rmtree(results, ignore_errors=True)
    pytest = [sys.executable, "-m", "pytest", *(arguments or ["tests/faults", "-v"]), "-n", "0"]
    environment = os.environ | {"SPACE_FAULTS_RESULTS": str(results)}
    code = subprocess.run(pytest, cwd=ROOT, env=environment, check=False).returncode
    found = report.read(results)
    print(report.table(found))
    missed = [made.fault for made in found if not made.is_held]
    if missed:
        print(f"\nNot held: {'; '.join(missed)}")
    if not arguments and found:
        write(found)
        print(f"\nWritten: {DOCUMENT.relative_to(ROOT)}")
    return code


def write(found: list[Measured] | None = None) -> None:
    found = report.read(KEPT / "results") if found is None else found
    DOCUMENT.write_text(report.page(found, report.read_soak(KEPT / "soak.json")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
