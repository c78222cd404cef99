/* memory_answers.h: what a transport in memory owes its owner, first in, first out. Room is made before
 * anything is done that must be answered, so that an answer itself never fails. Not locked. */
#ifndef BROKER_MEMORY_ANSWERS_H
#define BROKER_MEMORY_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_kind {
    ANSWER_UP,
    ANSWER_PUBLISHED,
    ANSWER_CONSUMING,
    ANSWER_CANCELLED,
    ANSWER_LOST,
    ANSWER_COUNTED
};

struct answer {
    enum answer_kind kind;
    int code;
    uint64_t token; /* or a consumer's number */
    uint64_t number;
    const char *why; /* static */
};

struct answers { /* all zero: none */
    struct answer *items;
    size_t first, count, size; /* size: 0 or a power of two */
};

void answers_fini(struct answers *answers);
/* Room for one more; false when memory is out. */
bool answers_room(struct answers *answers);
/* The room must have been made. */
void answers_add(struct answers *answers, struct answer item);
/* There must be one. */
struct answer answers_take(struct answers *answers);

#endif
