/* run_parts.h: the partial results of one run of a task, until they are stored. Pure bookkeeping: what is to
 * be sent and what an answer means; consumer_parts.c does it.
 *
 * Parts are stored in order, several under way at once, and answered in that order. When one is refused, or
 * no answer comes, the answers to all that are under way are awaited, and then everything from the first
 * unstored one on is sent again: the back end keeps each once. A run that another one has superseded keeps
 * nothing more. */
#ifndef WORKER_RUN_PARTS_H
#define WORKER_RUN_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umbel/value.h>

#define RUN_NAME_SIZE 17

struct run_part {
    struct run_part *next;
    uint64_t source; /* the pool's */
    size_t taken;    /* bytes that it is told are taken in the end */
    umbel_str payload;
};

struct run_parts {
    char name[RUN_NAME_SIZE];        /* random, 16 hex digits */
    uint32_t count;                  /* made so far */
    struct run_part *oldest, **last; /* not yet stored */
    struct run_part *unsent;         /* the first of them that is not under way */
    uint32_t unsent_number;
    uint32_t under_way;
    bool failed;     /* an answer was no, or none came: nothing is sent until run_parts_again */
    bool superseded; /* nothing is kept any more */
};

void run_parts_init(struct run_parts *parts);
/* Appends a copy. False: out of memory. */
bool run_parts_add(struct run_parts *parts, umbel_str payload, uint64_t source, size_t taken);
/* The next to send, which is under way from now on, and its number; NULL: none now. */
const struct run_part *run_parts_next(struct run_parts *parts, uint32_t *number);
/* An answer. True: the oldest is stored, and to be taken out. After UMBEL_ALREADY_DONE all are. */
bool run_parts_answered(struct run_parts *parts, int code);
/* Takes the oldest out, for the caller to free(); NULL: none is left. */
struct run_part *run_parts_take(struct run_parts *parts);
/* May be sent again, from the first that is not stored. False: some are still under way, or nothing had
 * failed. */
bool run_parts_again(struct run_parts *parts);

#endif
