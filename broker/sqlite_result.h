/* sqlite_result.h: the database's side of a backend: storing, reading, and the feed of notices, in SQL. All
 * on its thread. */
#ifndef BROKER_SQLITE_RESULT_H
#define BROKER_SQLITE_RESULT_H

#include "broker/audience.h"
#include "broker/backend.h"
#include "broker/sqlite_store.h"

/* Kinds of notes, asked and answered. */
enum result_note {
    RESULT_STORE = PORT_OWN_KINDS, /* texts id, payload, channel; when: it expires */
    RESULT_LOOKUP,                 /* text id; answer: texts id, payload */
    RESULT_LISTEN,                 /* text channel; answered by RESULT_SUBSCRIBED */
    RESULT_WATCH,                  /* text id; not answered */
    RESULT_WATCHED,                /* the last of a call; answered by RESULT_SUBSCRIBED */
    RESULT_UNWATCH,                /* text id */
    RESULT_FORGET,                 /* text id */
    RESULT_BEGIN,    /* text id; when: the mark expires; answer: number: starts, flags: RESULT_TERMINAL */
    RESULT_END_MARK, /* text id */
    RESULT_REVOKE,   /* text id; when: it runs out */
    RESULT_REVOKED,  /* answer: number: how many, text 1: packed by sqlite_results_pack */
    RESULT_PART,     /* texts id, payload, channel, run; number; when: it expires; answered as RESULT_STORE */
    RESULT_PARTS,    /* text id; number: from; answer: texts id, payloads for sqlite_parts_unpack */
    /* answers only */
    RESULT_NOTICE, /* text payload, as text 1 */
    RESULT_SUBSCRIBED
};
enum result_flag {
    RESULT_TERMINAL = NOTE_OWN_FLAGS,
    RESULT_OVERWRITE = NOTE_OWN_FLAGS * 2,
    RESULT_HAS_PARTS = NOTE_OWN_FLAGS * 4
};

struct sqlite_results { /* of one backend */
    struct audience audience;
    int64_t owner;     /* our name among the waiters */
    int64_t cursor;    /* the last number of the feed that was seen */
    bool reading;      /* something is awaited */
    bool registered;   /* others wake us whenever something is stored */
    uint64_t *watched; /* tokens that wait for that */
    size_t watched_count, watched_size;
};

/* A revocation within the text of an answer: takes it from the front of `packed`; false at its end. */
bool sqlite_results_unpack(umbel_str *packed, struct backend_revocation *out);

/* These are the functions of struct sqlite_port_ops, for a port whose `results` are these. */
void sqlite_results_init(struct sqlite_results *results);
void sqlite_results_free(struct sqlite_results *results);
int sqlite_results_join(struct sqlite_results *results, struct sqlite_port *port);
int sqlite_results_write(struct sqlite_results *results, struct sqlite_port *port, const struct notes *notes,
                         const struct note *note);
int sqlite_results_finish(struct sqlite_results *results, struct sqlite_port *port);
bool sqlite_results_want(struct sqlite_results *results);
void sqlite_results_ended(struct sqlite_results *results, bool committed);
int sqlite_results_read(struct sqlite_results *results, struct sqlite_port *port, const struct notes *notes,
                        const struct note *note);

#endif
