"""`recommender rules draft`, `rules undo` and `rules history`."""

import argparse
import getpass
import sys
from dataclasses import asdict

from recommender.cli.arguments import (
    JSON,
    PLACEMENT,
    Argument,
    Command,
    argument,
    command,
    file,
    flag,
    repeated,
)
from recommender.cli.draft_reports import (
    plain_preview,
    print_done,
    print_draft,
    print_draft_preview,
    print_history,
)
from recommender.cli.session import (
    RULE_FILE_TEXT,
    publisher,
    rule_path,
    save_embedded,
    settings_of,
)
from recommender.cli.terminal import console, print_json
from recommender.errors import DataError
from recommender.insights.draft_preview import preview_draft
from recommender.live.live_state import live_state
from recommender.live.rule_log import RuleLog
from recommender.live.steering import Applied, Steering
from recommender.merchandising.draft_changes import VERBS, Wanted
from recommender.merchandising.drafts import Draft
from recommender.merchandising.rule_set import Selection
from recommender.merchandising.rule_source import RuleSource, locked
from recommender.settings.model import Settings

_FILE = file("--rules", RULE_FILE_TEXT)
_AUTHOR = argument("--author", "whose draft (default: the login name)", default="", metavar="NAME")
_REASON = argument(
    "--reason", "why, for the rule file and the audit log", default="", metavar="TEXT"
)
_UNKNOWN = flag("--skip-unknown", "leave out unknown names")
_OWN = (_FILE, _AUTHOR)
_LISTS: tuple[Argument, ...] = (
    repeated("--lists-of", "ITEM", "only in the list of this item (repeatable)"),
    repeated("--lists-of-brand", "NAME", "only in the lists of this brand (repeatable)"),
    repeated("--lists-of-category", "PATH", "only in the lists of this category (repeatable)"),
    repeated("--placement", "NAME", "only in this placement (repeatable)"),
)


@command(
    "add",
    "Add a change to your draft",
    argument("verb", "what to do", choices=VERBS, metavar="ACTION"),
    argument("names", "items or, to withdraw, rules", nargs="*", metavar="NAME"),
    repeated("--brand", "NAME", "all items of this brand (repeatable)"),
    repeated("--category", "PATH", "all items of this category (repeatable)"),
    argument("--position", "of a pin (default 1); several items follow", default="", metavar="N"),
    argument("--by", "factor of boost or bury (default 2)", default="", metavar="X"),
    argument("--with", "what replaces the item", default="", dest="substitute", metavar="ITEM"),
    *_LISTS,
    argument("--from", "first day, such as 2026-12-24", default="", dest="first", metavar="DAY"),
    argument("--until", "last day", default="", metavar="DAY"),
    argument("--name", "name of the rule; one that exists is replaced", default="", metavar="NAME"),
    _REASON,
    *_OWN,
    JSON,
)
def _add(options: argparse.Namespace) -> int:
    steering, author = _steering(options), _author(options)
    fields = {
        "position": options.position,
        "by": options.by,
        "with": options.substitute,
        "placement": options.placement,
        "from": options.first,
        "until": options.until,
    }
    wanted = Wanted(
        options.verb,
        options.names,
        Selection((), tuple(options.brand), tuple(options.category)),
        Selection(
            tuple(options.lists_of),
            tuple(options.lists_of_brand),
            tuple(options.lists_of_category),
        ),
        fields,
        options.name,
    )
    with locked(steering.drafts.lock):
        rules = RuleSource.read(steering.rules).document.rules
        draft = wanted.into(steering.drafts.of(author), rules, author, options.reason)
        steering.drafts.save(draft)
    return _show(steering, draft, options)


@command("show", "Show your draft", *_OWN, JSON)
def _show_draft(options: argparse.Namespace) -> int:
    steering = _steering(options)
    return _show(steering, steering.drafts.of(_author(options)), options)


@command(
    "remove",
    "Remove a change from your draft",
    argument("number", "number of the change, as show has it", type=int, metavar="NUMBER"),
    *_OWN,
    JSON,
)
def _remove(options: argparse.Namespace) -> int:
    steering = _steering(options)
    with locked(steering.drafts.lock):
        draft = steering.drafts.of(_author(options)).without(options.number)
        steering.drafts.save(draft)
    return _show(steering, draft, options)


@command(
    "preview",
    "Show what your draft would change",
    repeated("--item", "ITEM", "show the list of this item (repeatable)"),
    PLACEMENT,
    *_OWN,
    JSON,
)
def _preview(options: argparse.Namespace) -> int:
    settings, steering = settings_of(options), _steering(options)
    with publisher(settings) as shop:
        live = live_state(settings.artifact_store(), shop)
    draft, source = steering.drafts.of(_author(options)), RuleSource.read(steering.rules)
    found = preview_draft(live, draft, source, placement=options.placement, items=options.item)
    if options.json:
        print_json(plain_preview(found))
    else:
        print_draft_preview(console(), found)
    return DataError.exit_code if found.errors else 0


@command(
    "rebase",
    "Take over what changed in the rule file since your draft was begun",
    *_OWN,
    JSON,
)
def _rebase(options: argparse.Namespace) -> int:
    steering = _steering(options)
    draft = steering.drafts.rebase(_author(options))
    return _show(steering, draft, options)


@command("discard", "Remove your draft", *_OWN)
def _discard(options: argparse.Namespace) -> int:
    steering, author = _steering(options), _author(options)
    with locked(steering.drafts.lock):
        gone = steering.drafts.discard(author)
    sys.stdout.write(f"The draft of {author} is removed.\n" if gone else "There is no draft.\n")
    return 0


@command(
    "apply",
    "Put your draft in force now, in the rule file and in the live lists",
    _REASON,
    _UNKNOWN,
    *_OWN,
    JSON,
)
def _apply(options: argparse.Namespace) -> int:
    settings, steering = settings_of(options), _steering(options)
    with publisher(settings) as shop:
        live = live_state(settings.artifact_store(), shop)
        done = steering.apply(_author(options), options.reason, live, shop)
        save_embedded(settings, shop.store)
    return _report(settings, done, options)


DRAFT = Command(
    "draft",
    "Collect changes of the rules, look at what they would change, and apply them together",
    actions=(_add, _show_draft, _remove, _preview, _apply, _rebase, _discard),
)


@command(
    "undo",
    "Take back a draft that was applied, whatever was applied since",
    argument("id", "id of the change, as history has it", metavar="ID"),
    _REASON,
    _UNKNOWN,
    *_OWN,
    JSON,
)
def _undo(options: argparse.Namespace) -> int:
    settings, steering = settings_of(options), _steering(options)
    with publisher(settings) as shop:
        live = live_state(settings.artifact_store(), shop)
        done = steering.undo(options.id, _author(options), options.reason, live, shop)
        save_embedded(settings, shop.store)
    return _report(settings, done, options)


UNDO = _undo


@command("history", "Show the drafts that were applied, and by whom", _FILE, JSON)
def _history(options: argparse.Namespace) -> int:
    past = _steering(options).history()
    if options.json:
        print_json([asdict(change) for change in past])
    else:
        print_history(console(), past)
    return 0


HISTORY = _history


def _steering(options: argparse.Namespace) -> Steering:
    settings = settings_of(options)
    return Steering(
        rule_path(settings, options.rules),
        RuleLog(settings.audit_log()),
        commits=settings.merchandising.commit,
        skip_unknown=getattr(options, "skip_unknown", False),
    )


def _author(options: argparse.Namespace) -> str:
    return options.author or getpass.getuser()


def _show(steering: Steering, draft: Draft, options: argparse.Namespace) -> int:
    stale = bool(draft.changes) and draft.base != RuleSource.read(steering.rules).digest
    if options.json:
        changes = [{**asdict(change), "does": str(change)} for change in draft.changes]
        print_json({"author": draft.author, "stale": stale, "changes": changes})
    else:
        print_draft(console(), draft, stale=stale)
    return 0


def _report(settings: Settings, done: Applied, options: argparse.Namespace) -> int:
    if options.json:
        print_json(asdict(done))
    else:
        print_done(console(), settings.shop, done)
    return 0
