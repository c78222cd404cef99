/* sqlite_sql.c: see sqlite_sql.h. */
#include "broker/sqlite_sql.h"

#include <string.h>

enum { APPLICATION_ID = 0x756d626c, LAYOUT = 3 };

static const char settings[] = "PRAGMA journal_mode=WAL;"
                               "PRAGMA synchronous=FULL;"
                               "PRAGMA wal_autocheckpoint=2000;"
                               "PRAGMA journal_size_limit=67108864;"
                               "PRAGMA cache_size=-16384;"
                               "PRAGMA temp_store=MEMORY;";

static const char layout[] =
    "CREATE TABLE numbers(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO numbers VALUES('last', 0);"
    "CREATE TABLE queues(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, max_priority INTEGER NOT NULL);"
    "CREATE TABLE messages(id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, rank INTEGER NOT NULL,"
    " owner INTEGER NOT NULL, redelivered INTEGER NOT NULL DEFAULT 0, due_at REAL, packed BLOB NOT NULL);"
    "CREATE INDEX messages_by_owner ON messages(owner, queue, rank);"
    "CREATE INDEX messages_by_due ON messages(due_at) WHERE owner = -1;"
    "CREATE TABLE owners(id INTEGER PRIMARY KEY AUTOINCREMENT, home INTEGER NOT NULL);"
    "CREATE TABLE waiters(kind INTEGER, name TEXT, owner INTEGER, consumer INTEGER, home INTEGER,"
    " exclusive INTEGER, PRIMARY KEY(kind, name, owner, consumer)) WITHOUT ROWID;"
    "CREATE TABLE results(seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, channel TEXT NOT NULL,"
    " terminal INTEGER NOT NULL, expires_at REAL NOT NULL, payload BLOB NOT NULL);"
    "CREATE INDEX results_by_expiry ON results(expires_at);"
    "CREATE TABLE marks(id TEXT PRIMARY KEY, starts INTEGER NOT NULL, expires_at REAL NOT NULL) WITHOUT "
    "ROWID;"
    "CREATE TABLE revoked(id TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;"
    "PRAGMA application_id=0x756d626c;"
    "PRAGMA user_version=2;";

/* What layout 3 has more: made in a new file, and in one of layout 2 when it is opened. */
static const char parts_layout[] = "CREATE TABLE parts(seq INTEGER PRIMARY KEY, id TEXT NOT NULL, run TEXT "
                                   "NOT NULL, number INTEGER NOT NULL,"
                                   " channel TEXT NOT NULL, expires_at REAL NOT NULL, payload BLOB NOT NULL);"
                                   "CREATE UNIQUE INDEX parts_by_id ON parts(id, number);"
                                   "CREATE INDEX parts_by_expiry ON parts(expires_at);"
                                   "PRAGMA user_version=3;";

static const char *const texts[SQL_COUNT] = {
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_NUMBER_GET] = "SELECT value FROM numbers WHERE name = 'last'",
    [SQL_NUMBER_SET] = "UPDATE numbers SET value = ?1 WHERE name = 'last'",

    [SQL_QUEUE_FIND] = "SELECT id, max_priority FROM queues WHERE name = ?1",
    [SQL_QUEUE_ADD] = "INSERT INTO queues(name, max_priority) VALUES(?1, ?2)",

    [SQL_PUBLISH] =
        "INSERT INTO messages(id, queue, rank, owner, due_at, packed) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_READY_ANY] = "SELECT 1 FROM messages WHERE owner = 0 AND queue = ?1 LIMIT 1",
    [SQL_READY_LIST] = "SELECT id, redelivered, packed FROM messages WHERE owner = 0 AND queue = ?1"
                       " ORDER BY rank, id LIMIT ?2",
    [SQL_READY_COUNT] =
        "SELECT count(*) FROM (SELECT 1 FROM messages WHERE owner = 0 AND queue = ?1 LIMIT ?2)",
    [SQL_CLAIM] = "UPDATE messages SET owner = ?2 WHERE id = ?1",
    [SQL_ACK] = "DELETE FROM messages WHERE id = ?1 AND owner = ?2",
    [SQL_REQUEUE] = "UPDATE messages SET owner = 0, redelivered = 1 WHERE id = ?1 AND owner = ?2",
    [SQL_PURGE] = "DELETE FROM messages WHERE owner = 0 AND queue = ?1",
    [SQL_DUE_NEXT] = "SELECT due_at FROM messages WHERE owner = -1 ORDER BY due_at LIMIT 1",
    [SQL_DUE_MATURE] = "UPDATE messages SET owner = 0 WHERE owner = -1 AND due_at <= ?1",

    [SQL_OWNER_ADD] = "INSERT INTO owners(home) VALUES(?1)",
    [SQL_HOME_ADD] = "UPDATE owners SET home = id WHERE id = ?1",
    [SQL_OWNER_DROP] = "DELETE FROM owners WHERE id = ?1",
    [SQL_OWNER_RETURN] = "UPDATE messages SET owner = 0, redelivered = 1 WHERE owner = ?1",
    [SQL_HOMES] = "SELECT DISTINCT home FROM owners WHERE home <> ?1",
    [SQL_HOME_RETURN] = "UPDATE messages SET owner = 0, redelivered = 1"
                        " WHERE owner IN (SELECT id FROM owners WHERE home = ?1)",
    [SQL_HOME_DROP] = "DELETE FROM owners WHERE home = ?1",
    [SQL_HOME_FORGET] = "DELETE FROM waiters WHERE home = ?1",

    [SQL_WAITER_ADD] = "INSERT OR REPLACE INTO waiters VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_WAITER_DROP] = "DELETE FROM waiters WHERE owner = ?1 AND consumer = ?2",
    [SQL_WAITERS_DROP] = "DELETE FROM waiters WHERE owner = ?1",
    [SQL_WAITERS] = "SELECT kind, name, home FROM waiters WHERE home <> ?1",
    [SQL_RIVALS] = "SELECT count(*), max(exclusive) FROM waiters WHERE kind = 0 AND name = ?1",

    [SQL_STORE] =
        "INSERT INTO results(seq, id, channel, terminal, expires_at, payload) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
        " ON CONFLICT(id) DO UPDATE SET seq = excluded.seq, channel = excluded.channel,"
        " terminal = excluded.terminal, expires_at = excluded.expires_at, payload = excluded.payload"
        " WHERE results.terminal = 0 OR results.expires_at <= ?7 OR ?8",
    [SQL_LOOKUP] = "SELECT payload FROM results WHERE id = ?1 AND expires_at > ?2",
    [SQL_TERMINAL] = "SELECT terminal FROM results WHERE id = ?1 AND expires_at > ?2",
    [SQL_FORGET] = "DELETE FROM results WHERE id = ?1",
    [SQL_FEED] = "SELECT seq, id, channel, payload FROM results WHERE seq > ?1"
                 " UNION ALL SELECT seq, id, channel, payload FROM parts WHERE seq > ?1 ORDER BY seq",
    [SQL_PART_LAST] = "SELECT run, number FROM parts WHERE id = ?1 ORDER BY number DESC LIMIT 1",
    [SQL_PART_ADD] = "INSERT INTO parts VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_PARTS] = "SELECT payload FROM parts WHERE id = ?1 AND number >= ?2 AND expires_at > ?3"
                  " ORDER BY number LIMIT ?4",
    [SQL_PARTS_DROP] = "DELETE FROM parts WHERE id = ?1",
    [SQL_PARTS_KEEP] = "UPDATE parts SET expires_at = ?2 WHERE id = ?1",
    [SQL_PARTS_EXPIRE] = "DELETE FROM parts WHERE seq IN"
                         " (SELECT seq FROM parts WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 500)",
    [SQL_EXPIRED_ANY] = "SELECT EXISTS(SELECT 1 FROM results WHERE expires_at <= ?1)"
                        " OR EXISTS(SELECT 1 FROM marks WHERE expires_at <= ?1)"
                        " OR EXISTS(SELECT 1 FROM revoked WHERE until <= ?1)"
                        " OR EXISTS(SELECT 1 FROM parts WHERE expires_at <= ?1)",
    [SQL_EXPIRE] = "DELETE FROM results WHERE seq IN"
                   " (SELECT seq FROM results WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 500)",
    [SQL_MARK] = "INSERT INTO marks VALUES(?1, 1, ?2)"
                 " ON CONFLICT(id) DO UPDATE SET starts = starts + 1, expires_at = excluded.expires_at "
                 "RETURNING starts",
    [SQL_UNMARK] = "DELETE FROM marks WHERE id = ?1",
    [SQL_REVOKE] = "INSERT INTO revoked VALUES(?1, ?2)"
                   " ON CONFLICT(id) DO UPDATE SET until = max(until, excluded.until)",
    [SQL_REVOKED] = "SELECT id, until FROM revoked WHERE until > ?1 ORDER BY until DESC LIMIT ?2",
    [SQL_REVOKED_EXPIRE] = "DELETE FROM revoked WHERE until <= ?1",
    [SQL_MARKS_EXPIRE] = "DELETE FROM marks WHERE expires_at <= ?1",
};

const char *sqlite_sql_text(enum sqlite_sql which)
{
    return texts[which];
}

static int pragma(sqlite3 *db, const char *text, int *value)
{
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(db, text, -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(statement);
    *value = rc == SQLITE_ROW ? sqlite3_column_int(statement, 0) : 0;
    return sqlite3_finalize(statement);
}

/* Inside a transaction, so that of two processes that find the file empty one fills it. */
static int fill(sqlite3 *db)
{
    int version = 0, application = 0, tables = 0;
    int rc = pragma(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = pragma(db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = pragma(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK || (version == LAYOUT && application == APPLICATION_ID))
        return rc;
    if (version == LAYOUT - 1 && application == APPLICATION_ID)
        return sqlite3_exec(db, parts_layout, NULL, NULL, NULL);
    if (version || application || tables)
        return SQLITE_MISMATCH;
    rc = sqlite3_exec(db, layout, NULL, NULL, NULL);
    return rc == SQLITE_OK ? sqlite3_exec(db, parts_layout, NULL, NULL, NULL) : rc;
}

int sqlite_sql_prepare_file(sqlite3 *db)
{
    int rc = sqlite3_exec(db, settings, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = fill(db);
    int ended = sqlite3_exec(db, rc == SQLITE_OK ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL);
    return rc == SQLITE_OK ? ended : rc;
}
