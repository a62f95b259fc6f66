"""Named places where tests inject faults; nothing happens unless they are switched on.

`RECOMMENDER_FAILPOINTS="publish.before_swap=kill@1;artifact.write=enospc@2"`: at the second
`artifact.write` of the process the disk is full. Actions: `kill` (SIGKILL),
`stop` (SIGSTOP, until someone sends SIGCONT), `hang` (go no further), `enospc`, `eio`.
"""

import errno
import os
import signal
import time
from collections import Counter

from recommender.errors import ConfigError

NAMES = frozenset(
    {
        "artifact.write",
        "artifact.before_manifest",
        "artifact.before_rename",
        "publish.staged",
        "publish.before_swap",
        "publish.after_swap",
    }
)
ACTIONS = frozenset({"kill", "stop", "hang", "enospc", "eio"})
VARIABLE = "RECOMMENDER_FAILPOINTS"
HANG_S = 3600

_hits: Counter[str] = Counter()


def hit(name: str) -> None:
    """Pass the place `name`; raise or die there when it is switched on.

    Raises: OSError where the action is enospc or eio; ConfigError for a misspelt name or action.
    """
    switched_on = os.environ.get(VARIABLE)
    if not switched_on:
        return
    _hits[name] += 1
    for entry in switched_on.split(";"):
        place, action, at = _parse(entry)
        if place == name and at == _hits[name]:
            _act(name, action)


def _parse(entry: str) -> tuple[str, str, int]:
    place, _, rest = entry.strip().partition("=")
    action, _, at = rest.partition("@")
    if place not in NAMES or action not in ACTIONS or not at.isdigit():
        raise ConfigError(
            f"{VARIABLE}: {entry!r} is not PLACE=ACTION@NUMBER; "
            f"places: {', '.join(sorted(NAMES))}; actions: {', '.join(sorted(ACTIONS))}"
        )
    return place, action, int(at)


def _act(name: str, action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
        return
    if action == "hang":
        time.sleep(HANG_S)
    code = errno.ENOSPC if action == "enospc" else errno.EIO
    raise OSError(code, f"{os.strerror(code)} (failpoint {name})")
