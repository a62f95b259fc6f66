"""`recommender completion`."""

import argparse
import sys

from recommender.cli.arguments import argument, command

SHELLS = ("bash", "zsh", "fish")


@command(
    "completion",
    "Print a script that completes commands and options: for bash, "
    "`source <(recommender completion bash)`; docs/commands.md has the others.",
    argument("shell", "the shell", choices=SHELLS, metavar="SHELL"),
)
def _completion(options: argparse.Namespace) -> int:
    import shtab

    from recommender.cli.main import SECTIONS, build_parser

    parser = build_parser(*(name for section in SECTIONS.values() for name in section))
    sys.stdout.write(shtab.complete(parser, options.shell) + "\n")
    return 0
