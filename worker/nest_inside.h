/* nest_inside.h: the shapes of the nest, shared by its files.
 *
 *     nest.c         its own two connections, and who hears what of them
 *     nest_call.c    one call on its way: routed, kept while it must wait, published, answered
 *     nest_guest.c   one line: what is asked over it
 *     nest_roster.c  which line waits for which result
 *     nest_route.c   where a call goes; pure */
#ifndef WORKER_NEST_INSIDE_H
#define WORKER_NEST_INSIDE_H

#include "broker/backend.h"
#include "broker/parent_wire.h"
#include "broker/transport.h"
#include "common/reply_channel.h"
#include "common/stream.h"
#include "worker/nest.h"
#include "worker/nest_roster.h"

/* A line with so many calls that wait for the broker, or so large ones, is not read for a while. */
#define NEST_KEPT_MAX 256
#define NEST_KEPT_BYTES ((size_t)16 << 20)

/* How one of the two connections is, as the lines are told. */
struct nest_reach {
    uint8_t state;
    int code;
    char why[256];
};

/* A queue of ours that tasks call to. */
struct nest_served {
    struct nest_served *next;
    bool ready; /* its nested queue is consumed */
    umbel_str queue;
    char name[];
};

/* A call that was not published, or not answered. */
struct nest_call {
    struct nest_guest *guest;      /* NULL: it has left */
    struct nest_call *next, *prev; /* of the guest */
    struct nest_call *later;       /* among those kept */
    uint64_t token;
    int flags;
    double due;       /* clock_mono; 0 = at once */
    umbel_str packed; /* malloc'd while it is kept; else empty */
};

/* A question that the backend answers. */
struct nest_question {
    struct nest *nest;
    struct nest_guest *guest;          /* NULL: it has left */
    struct nest_question *next, *prev; /* of the guest, or of those whose guest has left */
    uint64_t token;
    size_t answers; /* still to come */
};

struct nest_guest {
    struct nest *nest;
    struct nest_guest *next, *prev;
    struct stream *stream;
    bool down, paused;
    bool greeted; /* it has spoken, so it is told how things are */
    bool listens; /* it is to be told when results are heard, by this token */
    uint64_t listen_token;
    size_t kept, kept_bytes; /* of its calls */
    struct nest_call *calls;
    struct nest_question *questions;
    struct nest_tickets tickets;
};

struct nest {
    struct loop *loop;
    struct nest_options options;
    char *broker_url, *backend_url; /* what the options point at */
    const struct nest_events *events;
    void *self;
    struct transport *transport; /* NULL: nobody has called anything yet */
    struct backend *backend;     /* NULL likewise, or results are not kept */
    bool opened;
    struct nest_reach broker, results;
    char channel[REPLY_CHANNEL_SIZE]; /* where results are published for us */
    bool hears;                       /* the channel is subscribed */
    struct nest_guest *guests;
    struct nest_question *orphans; /* their guests have left */
    struct nest_roster roster;
    struct nest_served *served;
    bool settled;                        /* no further queue will be consumed */
    struct nest_call *kept, **kept_last; /* wait for the broker, or for their queue */
    struct arena arena;                  /* of the call that is published */
    struct turn_hook pump;               /* tries those kept again */
    int open_ends;
    void (*closed)(void *self);
    void *closed_self;
};

/* nest.c */
void nest_open(struct nest *nest);

/* nest_call.c */
/* The guest asks for this to be published. False: it makes no sense. */
bool nest_call(struct nest_guest *guest, const struct parent_frame *frame);
void nest_call_published(struct nest *nest, uint64_t token, int code, const char *why);
/* Tries what is kept, in order. */
void nest_call_pump(struct nest *nest);
/* The guest leaves: what is kept is dropped, nobody is told of the rest. */
void nest_call_forget(struct nest_guest *guest);
void nest_call_fini(struct nest *nest);

/* nest_guest.c */
void guest_tell(struct nest_guest *guest, const struct parent_frame *frame);
void guest_tell_reach(struct nest_guest *guest, enum parent_kind kind, const struct nest_reach *reach);
void guest_tell_found(struct nest_question *question, int code, umbel_str id, umbel_str payload);
void guest_tell_parts(struct nest_question *question, int code, umbel_str id, const umbel_str *payloads,
                      size_t count);
void guest_tell_subscribed(struct nest_question *question);
/* The backend is closed: what it left unanswered is. Every guest has left. */
void guest_forget_questions(struct nest *nest);
/* Read it, or not, as its calls are taken. */
void guest_pace(struct nest_guest *guest);

#endif
