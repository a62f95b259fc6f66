"""Rule commits: the rule file as a commit of its git repository."""

import os
import subprocess
from pathlib import Path

from recommender.errors import DataError

TIMEOUT_S = 60
_COMMITTER = {"NAME": "recommender", "EMAIL": "recommender@localhost"}


def commit(path: Path, author: str, message: str) -> str:
    """Commit one file alone, whatever else is staged; the short hash of the commit.

    Raises: DataError if the file is in no repository or git refuses.
    """
    _git(path, "add", "--intent-to-add", "--", path.name)
    who = f"--author={_author(author)}"
    _git(path, "commit", "--quiet", "--only", who, f"--message={message}", "--", path.name)
    return _git(path, "rev-parse", "--short", "HEAD").strip()


def _author(author: str) -> str:
    """The author as git writes them: `name <address>`."""
    bare = author.replace("<", "").replace(">", "").strip()
    name = bare.partition("@")[0] or bare
    return f"{name} <{bare if '@' in bare else ''}>"


def _git(path: Path, *arguments: str) -> str:
    """Run git in the folder of a file, deaf to the repository of whoever runs this process."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {f"GIT_COMMITTER_{key}": value for key, value in _COMMITTER.items()}
    environment |= {"GIT_LITERAL_PATHSPECS": "1", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(path.parent), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise DataError("git is not installed; install it or unset merchandising.commit") from error
    except subprocess.TimeoutExpired as error:
        raise DataError(f"git {arguments[0]} took more than {TIMEOUT_S} s") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise DataError(f"git {arguments[0]} failed: {said[:300]}")
    return done.stdout
