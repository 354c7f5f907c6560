"""The tables of the history, and how an older file becomes one of today.

``seq`` orders everything: the millisecond in which a request ended, or the next one that was free. ``usage``,
``latencies``, ``sessions``, ``agents`` and ``combinations.requests`` are sums over the rows of ``requests``; they are
changed in the same transaction as those, so that they agree at every moment.
"""

from __future__ import annotations

from sqlite3 import Connection

APPLICATION = 0x63637079
"""What the file calls itself (``PRAGMA application_id``): "ccpy"."""

_SUMS = """
    requests INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL,
    cache_write INTEGER NOT NULL, nanos INTEGER NOT NULL, unpriced INTEGER NOT NULL
"""

_FIRST = (
    """
    CREATE TABLE combinations (
        id INTEGER PRIMARY KEY, provider TEXT NOT NULL, model TEXT NOT NULL, kind TEXT NOT NULL, outcome TEXT NOT NULL,
        requests INTEGER NOT NULL DEFAULT 0, UNIQUE (provider, model, kind, outcome)
    )
    """,
    """
    CREATE TABLE targets (
        id INTEGER PRIMARY KEY, target TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
        region TEXT NOT NULL, UNIQUE (target, provider, model, region)
    )
    """,
    f"""
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY, session TEXT NOT NULL UNIQUE, first INTEGER NOT NULL, last INTEGER NOT NULL,
        main INTEGER NOT NULL, subagent INTEGER NOT NULL, background INTEGER NOT NULL, fell_back INTEGER NOT NULL,
        failed INTEGER NOT NULL, {_SUMS}
    )
    """,
    "CREATE INDEX sessions_last ON sessions (last)",
    """
    CREATE TABLE agents (
        session INTEGER NOT NULL, agent TEXT NOT NULL, requests INTEGER NOT NULL, PRIMARY KEY (session, agent)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE requests (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time REAL NOT NULL, session INTEGER, agent TEXT NOT NULL,
        combination INTEGER NOT NULL, client TEXT NOT NULL, requested TEXT NOT NULL, region TEXT NOT NULL,
        stream INTEGER NOT NULL, status INTEGER NOT NULL, stop_reason TEXT NOT NULL, first_event_ms INTEGER,
        total_ms INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL,
        cache_write INTEGER NOT NULL, estimated INTEGER NOT NULL, cost REAL, tools TEXT NOT NULL,
        tries INTEGER NOT NULL, story TEXT NOT NULL, error TEXT NOT NULL
    )
    """,
    "CREATE INDEX requests_combination ON requests (combination, seq)",
    "CREATE INDEX requests_session ON requests (session, seq) WHERE session IS NOT NULL",
    """
    CREATE TABLE attempts (
        seq INTEGER NOT NULL, number INTEGER NOT NULL, target INTEGER NOT NULL, started_ms INTEGER NOT NULL,
        first_event_ms INTEGER, total_ms INTEGER NOT NULL, status INTEGER NOT NULL, fault TEXT, reason TEXT NOT NULL,
        cooling_seconds REAL, simulated INTEGER NOT NULL, PRIMARY KEY (seq, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE skipped (
        seq INTEGER NOT NULL, number INTEGER NOT NULL, target TEXT NOT NULL, reason TEXT NOT NULL,
        PRIMARY KEY (seq, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE bodies (
        seq INTEGER PRIMARY KEY, headers TEXT NOT NULL, request BLOB NOT NULL, response BLOB NOT NULL,
        request_size INTEGER NOT NULL, response_size INTEGER NOT NULL
    )
    """,
    f"""
    CREATE TABLE usage (
        level INTEGER NOT NULL, slot INTEGER NOT NULL, combination INTEGER NOT NULL, {_SUMS},
        PRIMARY KEY (level, slot, combination)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE latencies (
        level INTEGER NOT NULL, slot INTEGER NOT NULL, provider TEXT NOT NULL, bucket INTEGER NOT NULL,
        requests INTEGER NOT NULL, PRIMARY KEY (level, slot, provider, bucket)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE search_parts (
        number INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, requests INTEGER NOT NULL
    )
    """,
)

STEPS: tuple[tuple[str, ...], ...] = (_FIRST,)
"""What makes a file of each version out of one of the version before. Steps that were once released never change."""


class NewerFile(Exception):
    """The file was written by a later version of the program."""


class ForeignFile(Exception):
    """The file is a database of somebody else's."""


def version(connection: Connection) -> int:
    """The version of a file, 0 of an empty one. Raises NewerFile and ForeignFile, and touches nothing then.

    For a connection in autocommit mode.
    """
    if connection.in_transaction:
        return _version(connection)
    connection.execute("BEGIN")  # one picture: another process may be making the tables just now
    try:
        return _version(connection)
    finally:
        connection.execute("COMMIT")


def migrate(connection: Connection) -> None:
    """Bring a file to today's version, all or nothing. Raises as :func:`version` does.

    For a connection in autocommit mode.
    """
    if version(connection) == len(STEPS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[version(connection) :]:  # asked again: another process may have been first
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")
        connection.execute("COMMIT")
    except BaseException:  # whatever it was, half a step must not stay
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: Connection) -> int:
    found = _pragma(connection, "user_version")
    application = _pragma(connection, "application_id")
    empty = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
    if application != APPLICATION and not (empty and application == 0 and found == 0):
        raise ForeignFile
    if found > len(STEPS):
        raise NewerFile
    return found


def _pragma(connection: Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
