/* request_set.h: the requests a worker has in hand: a free list of them, and the ones that may be running by
 * id.
 *
 * Requests are born when more are in hand than ever before and then reused with their memory, so a steady
 * state calls no malloc. How many there are is bounded by the prefetch. One thread. */
#ifndef WORKER_REQUEST_SET_H
#define WORKER_REQUEST_SET_H

#include "broker/transport.h"
#include "worker/postbox.h"
#include "worker/request.h"

enum request_state {
    REQUEST_FREE,
    REQUEST_NEW,     /* being admitted */
    REQUEST_LOOKUP,  /* its history has been asked for, or is to be when the back end is up */
    REQUEST_HELD,    /* due in under a second */
    REQUEST_READY,   /* waits for room in the pool */
    REQUEST_RUNNING, /* given to the pool */
    REQUEST_STORING, /* its result is under way to the back end, or waits for it to come up */
    REQUEST_SENDING, /* its copy is in the postbox */
    REQUEST_ADOPTED  /* settled together with its twin */
};

struct request {
    /* These keep their memory, and are written before they are read: */
    struct message msg;
    struct arena arena;    /* everything msg borrows */
    struct buffer payload; /* the encoded result map, kept until it is stored */
    struct parcel parcel;
    /* Each request begins with these as zeros: */
    struct job job; /* job.msg is &msg, job.owner is this */
    struct tag tag;
    enum request_state state;
    const char *garbled; /* why it could not be taken apart; NULL: it could */
    bool was_read, looked_up, replayed, in_table;
    bool marked;      /* a start mark is in the back end */
    bool nested;      /* a nested queue brought it */
    bool undelivered; /* nothing brought it: a call of this program (calls.h) */
    void *call;       /* whose it is, until it is answered or has left */
    bool settled;     /* acknowledged early: at most once */
    bool lost;        /* the delivery is the broker's again; its tag is void */
    struct backend_history history;
    int deaths;            /* beyond those of msg.deaths */
    int pid;               /* where it runs; 0: not said yet, or not running */
    double started_at;     /* since the epoch; 0 likewise */
    int terminated;        /* the signal somebody asked to end it with; 0: nobody did */
    struct verdict ending; /* what is left to do once it is stored: sending and logging */
    uint64_t hash;
    double due;              /* HELD: monotonic seconds */
    struct run *run;         /* of its task, once that has given parts of its result (consumer_parts.c) */
    struct request *next;    /* in the list its state names */
    struct request *adopted; /* twins, settled with this one */
};

struct request_list {
    struct request *first, **last;
};
void request_list_init(struct request_list *list);
void request_list_add(struct request_list *list, struct request *req);
void request_list_add_first(struct request_list *list, struct request *req);
struct request *request_list_take(struct request_list *list); /* NULL when empty */

struct request_set {
    struct request **all; /* every request there is, free or not */
    size_t count, capacity;
    struct request *free;
    size_t in_hand, nested; /* and how many of these nested queues brought */
    size_t undelivered;     /* and how many nothing did */
    struct request **table; /* open addressing, a power of two */
    size_t table_size, table_used;
};

void request_set_init(struct request_set *set);
void request_set_fini(struct request_set *set);
/* A request in state NEW; NULL when memory is out. */
struct request *request_set_take(struct request_set *set);
/* Back to the free list (and out of the table). */
void request_set_give(struct request_set *set, struct request *req);
/* The request that runs, or is to run, under this id; NULL when there is none. */
struct request *request_set_find(const struct request_set *set, umbel_str id);
/* Makes it findable; when another one of its id is there already, that one stays. */
void request_set_enter(struct request_set *set, struct request *req);
void request_set_leave(struct request_set *set, struct request *req);

#endif
