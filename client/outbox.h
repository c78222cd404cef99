/* outbox.h: every message that was submitted and is not settled: bounded, in order, sent by the background
 * thread.
 *
 * submit (any thread)  ->  submitted  ->  to be sent  ->  sent  ->  settled: its future is told, the record
 * is used again
 *                                            ^--- the connection was lost: once more, marked republished ---'
 *
 * A message that is not accepted by its deadline settles with the reason why the broker does not take it. A
 * message that wants a result waits for the inbox's own channel (inbox_ready) at most for a second: the
 * stored result is the truth, the channel only the faster way to it. */
#ifndef CLIENT_OUTBOX_H
#define CLIENT_OUTBOX_H

#include <pthread.h>
#include "broker/transport.h"
#include "client/inbox.h"
#include "client/record.h"

enum {
    OUTBOX_WHY = 320,
    /* Sent and not yet confirmed, at most. RabbitMQ is fastest with a short queue before it: a client that
     * poured in all it had took it to half its rate (docs/performance.md). Sending goes on when half are
     * confirmed. */
    OUTBOX_WINDOW = 1000,
};

struct record_list {
    struct record *first, **last;
};

struct outbox {
    struct loop *loop;
    struct turn_hook *turn;      /* marked whenever outbox_turn has something to do */
    struct transport *transport; /* from outbox_attach on */
    struct inbox *inbox;
    void (*serve)(void *self,
                  umbel_str queue); /* makes sure that somebody consumes it; NULL: not our business */
    void *serve_self;
    size_t limit;

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t room, settled;
    struct record_list submitted;
    struct record *spare; /* records to be used again */
    size_t spare_count;
    size_t used;            /* bytes of what is not settled */
    uint64_t next_sequence; /* of the next message */
    uint64_t settled_below; /* all before it are settled */
    int room_waiters, flushers;
    bool closed;
    int failed; /* code of the first that failed since the last flush */
    char failed_why[OUTBOX_WHY];

    /* of the background thread */
    struct record *oldest, *newest; /* all that are not settled */
    struct record_list to_send;
    struct arena scratch;    /* headers of the message that is being sent */
    size_t in_flight;        /* sent, not yet published */
    bool window_full;        /* until half of them are */
    struct record_list done; /* settled in this turn */
    size_t done_bytes;
    uint64_t earliest_ms; /* no deadline is before it */
    enum transport_state state;
    int state_code;
    char state_why[OUTBOX_WHY];
    bool was_up, closing;
};

void outbox_init(struct outbox *outbox, struct loop *loop, struct turn_hook *turn, struct inbox *inbox,
                 size_t limit);
/* Nothing is unsettled any more. */
void outbox_fini(struct outbox *outbox);
void outbox_attach(struct outbox *outbox, struct transport *transport);

/* ---- any thread ---- */

struct record *outbox_record(struct outbox *outbox);
/* Gives back a record that was not put. */
void outbox_spare(struct outbox *outbox, struct record *record);
/* Takes the record, or waits for room until its deadline (not at all with `patient` false). UMBEL_OK,
 * UMBEL_BUSY, UMBEL_TOO_LARGE, UMBEL_CLOSED. */
int outbox_put(struct outbox *outbox, struct record *record, bool patient);
/* Waits until all that was put before is settled. UMBEL_TIMEOUT, or the first failure's code with its text.
 */
int outbox_flush(struct outbox *outbox, double seconds, char why[OUTBOX_WHY]);
/* All that was put until now: what comes later is at or behind it. */
uint64_t outbox_mark(struct outbox *outbox);
/* Waits until all before a mark is settled, one way or another; false: not in that time. */
bool outbox_settle(struct outbox *outbox, uint64_t mark, double seconds);
/* From now on outbox_put answers UMBEL_CLOSED, and whoever waits in it too. */
void outbox_shut(struct outbox *outbox);

/* ---- background thread ---- */

void outbox_take(struct outbox *outbox);   /* what was submitted */
void outbox_send(struct outbox *outbox);   /* what can be sent now; also when there is room again */
void outbox_resume(struct outbox *outbox); /* the same, when only the window had stood in the way */
/* Nothing is unsettled. */
bool outbox_empty(struct outbox *outbox);
/* What was not sent yet is cancelled. */
void outbox_cancel_unsent(struct outbox *outbox);
void outbox_published(struct outbox *outbox, uint64_t token, int code, const char *why);
void outbox_state(struct outbox *outbox, enum transport_state state, int code, const char *why);
/* Gives up what is past its deadline. */
void outbox_tick(struct outbox *outbox, uint64_t now_ms);
/* When outbox_tick wants to be called next; UINT64_MAX: not. */
uint64_t outbox_due(const struct outbox *outbox);
/* The turn's end: hands settled records back, wakes whoever waits for room or for a flush. */
void outbox_turn(struct outbox *outbox);
/* Gives up everything that is not sent, and whatever comes back from now on. */
void outbox_close(struct outbox *outbox);

#endif
