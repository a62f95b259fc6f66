"""The cases of `process_cases`, in an interpreter as light as a worker's parent.

Here other tests have loaded torch and FAISS, after which nothing may be forked.
"""

import subprocess
import sys
from pathlib import Path

CASES = Path(__file__).with_name("process_cases.py")


def test_a_process_for_one_piece_of_work() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CASES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
