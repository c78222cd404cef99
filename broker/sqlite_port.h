/* sqlite_port.h: one transport's or backend's end of a database (sqlite_store.h).
 *
 * A port belongs to a loop and lives between two threads. The loop's side asks with notes, which are handed
 * to the database's thread when the turn ends; the thread carries them out, many turns' in one transaction,
 * and answers with notes after the commit. Who embeds a port fills struct sqlite_port_ops: half of it runs
 * there, half here. */
#ifndef BROKER_SQLITE_PORT_H
#define BROKER_SQLITE_PORT_H

#include <pthread.h>
#include "broker/sqlite_notes.h"
#include "common/str.h"
#include "common/loop.h"
#include "common/url.h"

struct sqlite_port;
struct sqlite_store;

enum { PORT_NOTHING, PORT_STATE, PORT_LEAVE, PORT_OWN_KINDS = 8 };

struct sqlite_port_ops {
    /* ---- on the database's thread. Each int is an SQLite code; anything but SQLITE_OK takes the transaction
     * back. */
    /* The first in a writing transaction: the port is new, or the database is open again. */
    int (*join)(struct sqlite_port *port);
    /* Carries out a note with NOTE_WRITES, in a writing transaction; answers are given only if it is
     * committed. */
    int (*write)(struct sqlite_port *port, const struct notes *notes, const struct note *note);
    /* At the end of each writing transaction: what else there is to do. */
    int (*finish)(struct sqlite_port *port);
    /* Would `finish` do something? Asked when others may have written, without a transaction. */
    bool (*wants)(struct sqlite_port *port);
    /* The last transaction was taken back (false) or is committed (true). */
    void (*ended)(struct sqlite_port *port, bool committed);
    /* Carries out any other note, or says (note NULL) what others have written since. */
    int (*read)(struct sqlite_port *port, const struct notes *notes, const struct note *note);
    /* A note that could not be carried out: answer it. */
    void (*refuse)(struct sqlite_port *port, const struct notes *notes, const struct note *note, bool away,
                   const char *why);
    /* The port leaves: in the last transaction it is part of, if there can be one. */
    void (*leave)(struct sqlite_port *port);

    /* ---- on the loop's thread */
    void (*told)(struct sqlite_port *port, const struct notes *notes, const struct note *note);
    /* The last thing that happens: free the port. */
    void (*left)(struct sqlite_port *port);
};

struct sqlite_port {
    const struct sqlite_port_ops *ops;
    struct sqlite_store *store;
    struct sqlite_port *next; /* of the store */

    /* the loop's */
    struct loop *loop;
    struct turn_hook hook;
    uv_async_t wake;
    struct notes *asking; /* this turn's */
    bool closing;

    pthread_mutex_t lock;           /* guards the next three */
    struct notes *asked, *answered; /* in order */
    struct notes *spare;

    /* the thread's */
    struct notes *work, *answers;
    bool joined, leaving_now;
    bool leaving;     /* under the store's lock: the loop asked for the end */
    char failed[256]; /* the failure last told */
};

/* Opens the port of the database at `path`. UMBEL_OK; UMBEL_BAD_URL, UMBEL_SYSTEM or UMBEL_NO_MEMORY with
 * *why. */
int sqlite_port_open(struct sqlite_port *port, struct loop *loop, umbel_str path,
                     const struct sqlite_port_ops *ops, const char **why);
/* ops->left ends it. What is asked for is still carried out; locks of others are waited for `grace` seconds.
 */
void sqlite_port_close(struct sqlite_port *port, double grace);
/* A note for the thread, to be filled before the turn ends, or NULL when memory is out; texts go to
 * port->asking. */
struct note *sqlite_port_ask(struct sqlite_port *port, int kind, unsigned flags);
/* On the thread: an answer, to be filled; texts go to port->answers. NULL when memory is out. */
struct note *sqlite_port_answer(struct sqlite_port *port, int kind, uint64_t token, int code);
/* With a text, which may be NULL. */
void sqlite_port_explain(struct sqlite_port *port, struct note *note, const char *why);

/* Between the port and the store's thread: takes what was asked to the end of port->work; hands the answers
 * over. */
void sqlite_port_collect(struct sqlite_port *port);
void sqlite_port_deliver(struct sqlite_port *port);
/* Gives a list back for another use. */
void sqlite_port_recycle(struct sqlite_port *port, struct notes *notes);

#endif
