/* parts.h: partial results on their way to whoever reads them with umbel_next.
 *
 * Nothing is kept for a future that nobody reads. From the first umbel_next on the parts stored by then are
 * read from the back end, and those that come later are taken from their notices while they follow without a
 * gap and there is room; else they are read too, once the reader has come so far. So what is kept here is
 * bounded, and a lost notice costs time only.
 *
 * The queue is guarded by its future's lock. Reading the back end is the background thread's. */
#ifndef CLIENT_PARTS_H
#define CLIENT_PARTS_H

#include "broker/backend.h"
#include "client/future.h"
#include "common/result.h"

struct inbox;

struct part_item {
    struct part_item *next;
    umbel_str payload;
};

struct part_queue {
    char run[BACKEND_RUN_MAX + 1]; /* whose parts these are; "" before the first */
    uint32_t next;                 /* number of the one that would be appended now */
    struct part_item *first, **last;
    size_t count, bytes;
    bool handed;    /* parts of this run were given to the reader */
    bool restarted; /* parts were, of a run that is superseded, and the reader has not been told */
    bool behind;    /* there may be more in the back end than was seen */
    bool asked;     /* a read is ordered or under way */
    bool last_look; /* that read was ordered when the task was done */
    bool missing;   /* and found less than the result says there is */
    bool done;      /* the task is: there are `total`, and only this run counts */
    uint32_t total;
    bool news; /* something changed since the reader looked */

    /* of the reader */
    struct arena arena; /* the value given last */

    /* of the background thread */
    struct link link; /* among the inbox's reads; counts the future */
    umbel_future *future;
    uint64_t token;
    char asked_run[BACKEND_RUN_MAX + 1]; /* what `run` and `next` were when it was asked */
    uint32_t asked_next;
};

/* ---- deciding; the future's lock is held ---- */

enum part_step {
    PART_STEP_GIVE,      /* the first of the queue */
    PART_STEP_RESTARTED, /* tell it */
    PART_STEP_END,       /* everything was given: how the task ended */
    PART_STEP_LOST,      /* what was not given is gone */
    PART_STEP_ASK,       /* the back end is to be read, then wait */
    PART_STEP_WAIT
};

struct part_queue *part_queue_new(umbel_future *future);
void part_queue_free(struct part_queue *queue);
/* A part that came by a notice or a read. UMBEL_OK; UMBEL_NO_MEMORY. */
int part_queue_take(struct part_queue *queue, umbel_str run, uint32_t number, umbel_str payload);
/* A read has been answered with so many, which have been taken. */
void part_queue_answered(struct part_queue *queue, int code, size_t count);
/* The task is done; its result says that it has so many parts of that run; run empty: none. */
void part_queue_end(struct part_queue *queue, umbel_str run, uint32_t total);
/* Pure. */
enum part_step part_queue_step(const struct part_queue *queue);
/* Takes the first out, for the caller to free(); there is one. */
struct part_item *part_queue_pop(struct part_queue *queue);
/* PART_STEP_ASK is carried out: from queue->asked_next on. */
void part_queue_asking(struct part_queue *queue);
/* Is there something for a reader that waits? */
bool part_queue_ready(umbel_future *future);

/* ---- background thread ---- */

/* A part's notice for this future. True: somebody waits for it. */
bool parts_noticed(struct inbox *inbox, umbel_future *future, umbel_str payload);
/* Reads the back end, as ORDER_PARTS asks. */
void parts_read(struct inbox *inbox, umbel_future *future);
void parts_answered(struct inbox *inbox, uint64_t token, int code, const umbel_str *payloads, size_t count);
/* No answer comes any more. */
void parts_close(struct inbox *inbox);

#endif
