/* sqlite_store.h: one database file, one connection, one thread, for all ports of this process that name the
 * file.
 *
 * The thread takes what the loops asked for and carries it out in one transaction: so everything that came
 * while the last commit was on its way to the disk shares the next one (group commit). Sharing also puts a
 * worker's stored results and acknowledgements into one commit; their order is the caller's, who asks for the
 * second after the answer to the first. */
#ifndef BROKER_SQLITE_STORE_H
#define BROKER_SQLITE_STORE_H

#include <sys/types.h>
#include "broker/sqlite_port.h"
#include "broker/sqlite_sql.h"
#include "broker/sqlite_wake.h"
#include "broker/table.h"

struct sqlite_queue { /* a queue that this process has met; queues are never deleted */
    struct table_node node;
    int64_t id;
    int max_priority;
    bool touched; /* has new messages since the transaction began */
    bool fresh;   /* made in it */
};

enum { CHANNELS_TOUCHED = 16, CHANNEL_SIZE = 128 };

struct sqlite_touched { /* who is to be woken after the commit */
    bool queues, results, everything;
    size_t channel_count; /* > CHANNELS_TOUCHED: all of them */
    char channels[CHANNELS_TOUCHED][CHANNEL_SIZE];
};

struct sqlite_store {
    struct sqlite_store *next; /* in the registry, whose lock guards it and the next four */
    dev_t device;
    ino_t inode;
    pid_t pid;
    unsigned users;
    char *path;
    int event; /* eventfd: somebody asked */
    bool signalled;
    pthread_mutex_t lock;         /* guards the next two, and port->leaving */
    double hurry_at;              /* a port that leaves waits no longer than until then; 0: none leaves */
    struct sqlite_port *entering; /* ports the thread has not seen yet */

    /* the thread's */
    struct sqlite_port *ports;
    sqlite3 *db; /* NULL: not open */
    sqlite3_stmt *statements[SQL_COUNT];
    struct sqlite_wake wake;
    bool full_sync;
    bool look; /* others may have written */
    int64_t number;
    bool number_known, number_changed;
    struct table queues;
    bool queues_changed;
    struct sqlite_touched touched;
    int64_t *homes; /* to be woken */
    size_t home_count, home_size;
    int64_t *orphans; /* owners that left: their messages go back */
    size_t orphan_count, orphan_size;
    double impatient_at;                /* when a wait for the lock ends */
    double tick_at, again_at, retry_at; /* monotonic; 0: not wanted */
    double due_at;                      /* wall clock, of the next delayed message; 0: none */
    char why[256];
};

/* ---- for ports: see sqlite_port.h */
int sqlite_store_enter(struct sqlite_port *port, umbel_str path, const char **why);
void sqlite_store_leave(struct sqlite_port *port, double grace);
void sqlite_store_signal(struct sqlite_store *store);

/* ---- for what runs on the thread */
/* A statement, reset. */
sqlite3_stmt *sqlite_store_sql(struct sqlite_store *store, enum sqlite_sql which);
/* Runs one that answers no rows: SQLITE_OK or the failure. */
int sqlite_store_run(sqlite3_stmt *statement);
/* The same for one that answers at most one row: SQLITE_ROW (read it, then reset), SQLITE_DONE or the
 * failure. */
int sqlite_store_step(sqlite3_stmt *statement);
void sqlite_bind_str(sqlite3_stmt *statement, int place, umbel_str text);
umbel_str sqlite_column_str(sqlite3_stmt *statement, int column);
/* The next number of messages and results, within a writing transaction; 0 when it cannot be read. */
int64_t sqlite_store_number(struct sqlite_store *store);
/* The last number that is committed. */
int64_t sqlite_store_last(struct sqlite_store *store);
/* *out is NULL when there is none (and `create` is not set: within a writing transaction). An SQLite code. */
int sqlite_store_queue(struct sqlite_store *store, umbel_str name, bool create, int max_priority,
                       struct sqlite_queue **out);
void sqlite_store_touch_queue(struct sqlite_store *store, struct sqlite_queue *queue);
void sqlite_store_touch_channel(struct sqlite_store *store, umbel_str channel);
/* An owner's messages go back, its waiters are forgotten, soon and certainly. */
void sqlite_store_orphan(struct sqlite_store *store, int64_t owner);

/* ---- between sqlite_store.c (the thread) and sqlite_open.c (the connection) */
void *sqlite_store_thread(void *store);
/* SQLITE_OK, or a failure with store->why. */
int sqlite_open_file(struct sqlite_store *store);
void sqlite_open_end(struct sqlite_store *store);
/* One port less; true when it was the last: then the connection is closed and nobody can find the store any
 * more. */
bool sqlite_open_release(struct sqlite_store *store);
void sqlite_open_free(struct sqlite_store *store);
/* ---- and sqlite_tidy.c (what is done now and then, and the waking of others) */
void sqlite_tidy_tick(struct sqlite_store *store);
/* Within a writing transaction: what left goes back, what is due becomes ready. */
int sqlite_tidy_orphans(struct sqlite_store *store);
int sqlite_tidy_mature(struct sqlite_store *store);
/* When the next delayed message is due: store->due_at. */
void sqlite_tidy_find_due(struct sqlite_store *store);
/* Notes in store->homes who waits for what was touched; then wakes them. */
int sqlite_tidy_find_homes(struct sqlite_store *store);
void sqlite_tidy_wake_homes(struct sqlite_store *store);
/* A writing transaction: begin answers SQLITE_OK; end commits when rc is SQLITE_OK, else takes back; answers
 * rc. */
int sqlite_store_begin(struct sqlite_store *store, bool sync);
/* Starts the time that is waited for locks; is there some left? */
void sqlite_store_be_patient(struct sqlite_store *store);
bool sqlite_store_patient(void *store);
int sqlite_store_end(struct sqlite_store *store, int rc);

#endif
