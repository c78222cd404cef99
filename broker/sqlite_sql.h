/* sqlite_sql.h: the database's layout, and every statement there is. All SQL text is in sqlite_sql.c.
 *
 * messages.owner: 0 ready, -1 not yet due, else the transport that has it unsettled. The one index serves
 * giving (owner 0, by queue, rank and age), counting, and taking everything back from a dead owner. rank is
 * the priority upside down. results.seq grows with every change, so that the table read from some seq on is
 * the feed of notices; parts take their numbers from the same row, and the feed has both. */
#ifndef BROKER_SQLITE_SQL_H
#define BROKER_SQLITE_SQL_H

#include <sqlite3.h>

enum { OWNER_READY = 0, OWNER_LATER = -1 };
enum waiter_kind { WAITER_QUEUE, WAITER_CHANNEL, WAITER_ALL };

/* X(name) */
#define SQLITE_STATEMENTS(X)                                                                                 \
    X(BEGIN_WRITE)                                                                                           \
    X(BEGIN_READ)                                                                                            \
    X(COMMIT)                                                                                                \
    X(ROLLBACK)                                                                                              \
    X(NUMBER_GET)                                                                                            \
    X(NUMBER_SET) X(QUEUE_FIND) X(QUEUE_ADD) X(PUBLISH) X(READY_ANY) X(READY_LIST) X(READY_COUNT) X(CLAIM)   \
        X(ACK) X(REQUEUE) X(PURGE) X(DUE_NEXT) X(DUE_MATURE) X(OWNER_ADD) X(HOME_ADD) X(OWNER_DROP)          \
            X(OWNER_RETURN) X(HOMES) X(HOME_RETURN) X(HOME_DROP) X(HOME_FORGET) X(WAITER_ADD) X(WAITER_DROP) \
                X(WAITERS_DROP) X(WAITERS) X(RIVALS) X(STORE) X(LOOKUP) X(TERMINAL) X(FORGET) X(FEED)        \
                    X(EXPIRED_ANY) X(EXPIRE) X(MARK) X(UNMARK) X(MARKS_EXPIRE) X(REVOKE) X(REVOKED)          \
                        X(REVOKED_EXPIRE) X(PART_LAST) X(PART_ADD) X(PARTS) X(PARTS_DROP) X(PARTS_KEEP)      \
                            X(PARTS_EXPIRE)

enum sqlite_sql {
#define SQLITE_ENUM(name) SQL_##name,
    SQLITE_STATEMENTS(SQLITE_ENUM)
#undef SQLITE_ENUM
        SQL_COUNT
};

/* The text; never NULL. */
const char *sqlite_sql_text(enum sqlite_sql which);
/* Settings of the connection, and the layout when the file is new. SQLITE_OK; SQLITE_MISMATCH when it was
 * made by another version or another program. */
int sqlite_sql_prepare_file(sqlite3 *db);

#endif
