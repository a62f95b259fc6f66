"""The rows of the fault matrix: numbers are faults, S numbers are threats.

A test names its rows by `@pytest.mark.fault(9, "S2")`; a row without one says why in `uncovered`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What is injected, what the engine promises then, and why no test shows it, if none does."""

    fault: str
    promise: str
    uncovered: str = ""


ROWS: dict[int | str, Row] = {
    1: Row("a pool child is killed", "the step is done again, finished ones are not"),
    2: Row("a whole worker is killed", "another takes its lease over"),
    3: Row("a process is asked to end", "it ends within seconds and leaves nothing half done"),
    4: Row("a step takes too much memory each time", "given up after three attempts, by name"),
    5: Row("Redis is killed amid a publish", "the old lists serve; the publish is repeated"),
    6: Row("Redis restarts empty", "lists come back from the artifacts, nothing is encoded"),
    7: Row("somebody empties Redis", "as in row 6"),
    8: Row("the broker dies with its queue", "work is derived again from the artifacts"),
    9: Row("memory runs out amid a publish", "what was staged is taken back, need and room named"),
    10: Row("memory is too little from the start", "refused before the first write"),
    11: Row("Redis evicts keys", "refused, or noticed before the swap"),
    12: Row("live lists are gone", "found by count and published again"),
    13: Row("the disk of artifacts is full", "no artifact, the path and the remedy are named"),
    14: Row("Redis cannot write to its disk", "the publish fails, the old lists serve"),
    15: Row("a write is torn", "without its manifest, an artifact does not exist"),
    16: Row("a generation is half written", "no lookup reads it, the next publish removes it"),
    17: Row("a bit of an artifact flips", "found before it is loaded; a plain reindex repairs it"),
    18: Row("a file of an artifact is cut", "as in row 17"),
    19: Row("Redis is slow", "an answer within the deadline, or a fallback"),
    20: Row("Redis accepts and never answers", "as in row 19"),
    21: Row("a reply is cut off", "a fallback, and never the answer to another question"),
    22: Row("the connection is refused", "a fallback at once"),
    23: Row("a name is not resolved", "the deadline holds"),
    24: Row("asyncio cancels a question", "no answer goes to another question"),
    25: Row("a process forks after it connected", "no answer goes to another process"),
    26: Row("a fork after a heavy library was loaded", "none is loaded in the parent"),
    27: Row("the clock jumps", "order, leases and retention do not depend on it"),
    28: Row(
        "two reindexes, one paused past its lease",
        "the later number wins",
    ),
    29: Row("two beats", "a period begins once"),
    30: Row("a task is delivered several times", "its work is done once"),
    31: Row("a forged message", "refused in one line of the log"),
    32: Row("poison texts", "cleaned by rule; the vectors of others do not change"),
    33: Row(
        "one text makes the encoder raise or hang",
        "the text is quarantined",
        "the run fails by name instead: texts are not bisected",
    ),
    34: Row("NaN and infinity in vectors", "refused by name"),
    35: Row("no items", "refused, the old lists serve"),
    36: Row("one item", "published with an empty list"),
    37: Row("all items the same", "no self, nothing twice, the same order each time"),
    38: Row("no interactions, or one giant customer", "text alone; a user counts up to a cap"),
    39: Row("a catalogue that shrank", "held until it is approved"),
    40: Row("one id twice", "the last one counts, and both are counted"),
    41: Row("hostile ids", "no item, and no command with them"),
    42: Row("an absurd number of items", "clamped"),
    43: Row("a dirty CSV file", "each bad row is counted with line and reason, none shifts"),
    44: Row("an input file changes while it is read", "no run on a torn file"),
    45: Row("an older reader, a newer schema", "a fallback, no exception"),
    46: Row("a newer reader, an older schema", "it is read"),
    47: Row("workers of different software on one queue", "no mixed build"),
    48: Row("another text model between runs, or amid one", "all vectors of one model"),
    49: Row(
        "a text API that is busy, broken or hangs",
        "retried; nothing is paid twice",
    ),
    50: Row("a text API that answers nonsense", "refused, nothing of it is stored"),
    51: Row("a replica takes over amid a publish", "verified on the new primary"),
    52: Row("the pointer can be read, a list cannot", "a fallback, no exception"),
    53: Row("a swap under load", "no miss, no error, no mixed answer"),
    54: Row("a rollback under load and at full memory", "as in row 53"),
    55: Row("the collector and a paused reader", "no miss within the grace period"),
    56: Row("many publishes", "files, threads and memory stay flat"),
    57: Row("a wrong password, an expired certificate", "a fallback; no secret is shown"),
    58: Row("stderr is closed or full", "the run and its publish go on"),
    59: Row("an object store that is busy, or lists late", "retried; nothing damaged is read"),
    60: Row("no network when a model is loaded", "loaded from its folder, or named at once"),
    61: Row(
        "junk in the control keys of Redis", "named with the remedy; the next publish heals it"
    ),
    62: Row("a removal of an artifact is cut off", "the next write finishes it"),
    63: Row("messages with an ETA far ahead", "refused, so that no worker keeps them in memory"),
    64: Row("the record of the live run is damaged", "a plain reindex replaces it"),
    65: Row("a request that asks for far more than it sends", "refused, or bounded in bytes"),
    66: Row(
        "requests that are half sent, answers that nobody reads",
        "ended after a time; honest requests are answered",
    ),
    67: Row("more requests at once than can be served", "503 with Retry-After"),
    68: Row(
        "a process that stands still", "the breaker counts what the server did, and that alone"
    ),
    69: Row("a log handler that raises", "answers and polls go on"),
    70: Row("the polling thread ends", "another is started"),
    71: Row("a value of 60 MB in place of a list", "that list alone is replaced"),
    72: Row("an id to hide that is in no list", "hidden, and named as unknown"),
    73: Row("a misspelt parameter of a request", "refused with the name that is like it"),
    74: Row("the store is away when the service is asked", "alive, but not ready"),
    75: Row("an address or password of the wrong kind", "the error names the fix"),
    76: Row("orders that do not fit the catalogue", "stopped with the likely cause and examples"),
    77: Row("events dated in the future", "counted, and the end of no window"),
    78: Row("cancelled orders, refunds and returns", "no purchases"),
    79: Row("drafts and hidden products", "in no list"),
    80: Row("a line or field without an end", "stopped at a limit, by name"),
    "S1": Row("hostile texts of a catalogue", "cleaned, cut and escaped"),
    "S2": Row("an id from a URL becomes a key", "every key begins with the shop's prefix"),
    "S3": Row("a flood of random ids", "memory is bounded"),
    "S4": Row("a huge number of entries or seeds", "bounded"),
    "S5": Row("Redis open to strangers", "doctor warns; the documented users suffice"),
    "S6": Row("faults of the script engine", "lookups use no scripts"),
    "S7": Row("a pickle in a message", "never unpickled"),
    "S8": Row("arguments of a task that lead elsewhere", "refused"),
    "S9": Row("a model folder that runs code", "refused"),
    "S10": Row("a forged array or manifest", "refused, nothing is unpickled"),
    "S11": Row("a manifest that leads outside", "refused"),
    "S12": Row("scripts in titles, on pages", "shown as text; a policy allows the page alone"),
    "S13": Row("a text API as a way inside", "redirects and link-local addresses refused"),
    "S14": Row("secrets in settings that fail", "in no output, log or traceback"),
    "S15": Row("who the customers are", "neither ids nor names leave the files"),
    "S16": Row("fake baskets", "bounded by trust settings"),
    "S17": Row("titles that are near to everything", "a share of all lists is the most"),
    "S18": Row("a storm of connections to a dead server", "one probe at a time"),
    "S19": Row("an item that must not be shown", "in no answer within about a second"),
    "S20": Row(
        "a dependency that was tampered with",
        "hashes are locked",
        "constraints.txt pins versions without hashes",
    ),
    "S21": Row("one shop reads another's lists", "refused by its user's rights"),
    "S22": Row("settings from a hostile environment", "typed, unknown names refused"),
    "S23": Row("formulas in exported cells", "shown as text by a spreadsheet"),
}
