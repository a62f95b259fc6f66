"""Guards that keep a promise, and the test that goes red when one is removed."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Guard:
    """`text`, which stands once in the module `path`, becomes `without`; then `test` must fail."""

    name: str
    row: int | str
    path: str
    text: str
    without: str
    test: str

    def removed_from(self, root: Path) -> None:
        """Remove the guard from a copy of the repository. Raises: LookupError."""
        module = root / self.path
        content = module.read_text(encoding="utf-8")
        if content.count(self.text) != 1:
            raise LookupError(f"{self.name}: {self.text!r} is not once in {self.path}")
        module.write_text(content.replace(self.text, self.without), encoding="utf-8")


SCRIPTS = "recommender/publishing/scripts.py"
STORE = "recommender/artifacts/store.py"
STORAGE = "recommender/artifacts/storage.py"
REPAIR = "recommender/build/repair.py"
CONTROL = "recommender/publishing/control_keys.py"
REDACTION = "recommender/core/redaction.py"

GUARDS = (
    Guard(
        *("fence-comparison", 28, SCRIPTS),
        "if fence >= tonumber(ARGV[1]) or ",
        "if ",
        "tests/publishing/test_scripts.py::test_a_swap_is_refused_where_another_went_live",
    ),
    Guard(
        *("seen-fence", 28, SCRIPTS),
        " or fence ~= tonumber(ARGV[4] or fence) then",
        " then",
        "tests/publishing/test_scripts.py::test_a_swap_is_refused_where_another_went_live",
    ),
    Guard(
        *("lease-of-complete", 28, SCRIPTS),
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 0 then",
        "if redis.call('EXISTS', KEYS[2]) == 0 then",
        "tests/publishing/test_scripts.py::"
        "test_a_generation_is_complete_where_its_lease_is_held_and_it_is_described",
    ),
    Guard(
        *("swap-of-complete-layers-only", 55, SCRIPTS),
        "  if redis.call('HGET', KEYS[index], 'state') ~= 'complete' then\n    return 'incomplete'",
        "  if false then\n    return 'incomplete'",
        "tests/publishing/test_scripts.py",
    ),
    Guard(
        *("pointed-to-is-kept", 55, SCRIPTS),
        "if not kept[generation] and not staged_by_other then",
        "if not staged_by_other then",
        "tests/publishing/test_scripts.py::test_what_is_pointed_to_or_staged_is_not_retired",
    ),
    Guard(
        *("staged-is-kept", 55, SCRIPTS),
        "if not kept[generation] and not staged_by_other then",
        "if not kept[generation] then",
        "tests/publishing/test_scripts.py::test_what_is_pointed_to_or_staged_is_not_retired",
    ),
    Guard(
        *("self-filter", 36, "recommender/ranking/chooser.py"),
        " & (united.rows != rows[:, None]) & united.found",
        " & united.found",
        "tests/ranking/test_chooser.py",
    ),
    Guard(
        *("checksum-before-load", 17, STORAGE),
        "path.stat().st_size == size and (not sha256 or digest(path) == sha256)",
        "path.stat().st_size == size",
        "tests/build/test_repair.py::test_a_flipped_bit_is_found_although_the_size_is_right",
    ),
    Guard(
        *("size-when-done", 18, STORE),
        'return self.fault(step, key, digests=False) == ""',
        "return self.find(step, key) is not None",
        "tests/build/test_repair.py::test_a_cut_file_is_missing_at_once",
    ),
    Guard(
        *("damaged-is-replaced", 18, STORE),
        "            self.discard(step, key)\n",
        "            pass\n",
        "tests/build/test_repair.py::test_a_cut_file_is_missing_at_once",
    ),
    Guard(
        *("key-holds", "S10", STORE),
        "            if not self.key_holds():\n                raise\n",
        "",
        "tests/build/test_repair.py::test_a_wrong_signature_is_damage_only_where_the_key_holds",
    ),
    Guard(
        *("doubtful-key", "S10", "recommender/artifacts/verification.py"),
        "if any(one.doubtful for one in found) and all(one.fault for one in found):",
        "if False:",
        "tests/artifacts/test_verification.py::test_nothing_is_removed_where_the_key_may_be_wrong",
    ),
    Guard(
        *("cut-off-removal", 62, STORAGE),
        "                        shutil.rmtree(place)\n",
        "                        raise\n",
        "tests/artifacts/test_storage.py::"
        "test_a_removal_that_was_cut_off_does_not_stop_the_next_write",
    ),
    Guard(
        *("full-disk-words", 13, STORAGE),
        'error.strerror or "the disk took only a part of it; make room and run again"',
        "error.strerror or str(error)",
        "tests/artifacts/test_storage.py::"
        "test_a_disk_that_takes_a_part_of_an_array_is_told_in_our_words",
    ),
    Guard(
        *("formula", "S23", "recommender/cli/terminal.py"),
        """return f"'{cell}" if is_formula else cell""",
        "return cell",
        "tests/cli/test_terminal.py::test_no_cell_of_a_csv_file_is_a_formula",
    ),
    Guard(
        *("concealed-values", "S14", REDACTION),
        "        text = text.replace(secret, MASK)\n",
        "        pass\n",
        "tests/core/test_redaction.py",
    ),
    Guard(
        *("users-of-urls", "S14", REDACTION),
        r'    text = _USER.sub(rf"\1{MASK}@", text)' + "\n",
        "",
        "tests/core/test_redaction.py::test_what_is_a_secret_by_its_form",
    ),
    Guard(
        *("input-value", "S14", REDACTION),
        'return _INPUT.sub(f"input_value={MASK}", text)',
        "return text",
        "tests/core/test_redaction.py::test_what_is_a_secret_by_its_form",
    ),
    Guard(
        *("unquoted-password", "S14", "recommender/settings/secrets.py"),
        "    if cut:\n",
        "    if False:\n",
        "tests/settings/test_secrets.py::test_a_password_that_must_be_quoted_is_refused_without_it",
    ),
    Guard(
        *("closed-stream", 58, REDACTION),
        "with suppress(OSError, ValueError, AttributeError):  # full, closed, or not there",
        "with suppress(KeyError):",
        "tests/core/test_redaction.py::test_no_write_fails",
    ),
    Guard(
        *("farthest-eta", 63, "workers/tasks.py"),
        "-OLDEST_ETA <= distance <= FARTHEST_ETA",
        "-OLDEST_ETA <= distance <= OLDEST_ETA",
        "tests/workers/test_tasks_messages.py",
    ),
    Guard(
        *("junk-members", 61, CONTROL),
        "                self.store.zrem(key, *junk)\n",
        "",
        "tests/publishing/test_control_keys.py::test_the_next_publish_heals_it",
    ),
    Guard(
        *("junk-types", 61, CONTROL),
        "            self.store.unlink(key)\n        return [*wrong,",
        "        return [*wrong,",
        "tests/publishing/test_control_keys.py::test_the_next_publish_heals_it",
    ),
)
