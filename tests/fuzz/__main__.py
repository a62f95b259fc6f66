"""`python -m tests.fuzz [TARGET...] [--minutes 10] [--seed N]`: damaged input for each target.

Rounds of examples run one after the other until the time is over; each has a seed of its own, the
first `--seed`. A target ends at its first failure, which is printed with the command that repeats
its round. The exit code is 1 where one failed.
"""

import argparse
import secrets
import sys
import time
import traceback
from collections.abc import Sequence

from tests.fuzz.fuzzing import fuzz
from tests.fuzz.targets import TARGETS

ROUND = 200


def main(arguments: Sequence[str]) -> int:
    """Fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each target; 0: a round")
    parser.add_argument("--seed", type=int, help="of the first round (default: a random one)")
    options = parser.parse_args(arguments)
    failed = 0
    for name in options.names or TARGETS:
        first = secrets.randbelow(10**9) if options.seed is None else options.seed
        failed += _fails(name, first, options.minutes)
    return int(failed > 0)


def _fails(name: str, first: int, minutes: float) -> bool:
    until, number = time.monotonic() + 60 * minutes, first
    say(f"{name}: from seed {first}")
    while True:
        try:
            fuzz(TARGETS[name], number, ROUND)
        except Exception:
            say(traceback.format_exc())
            say(f"{name}: FAILED; python -m tests.fuzz {name} --minutes 0 --seed {number}")
            return True
        number += 1
        if time.monotonic() >= until:
            say(f"{name}: {ROUND * (number - first)} examples, none failed")
            return False


def say(line: str) -> None:
    """Print a line at once: a crash must not swallow it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
