/* dead_letters.h: the messages of one queue of dead letters, fetched and held until they are settled or given
 * back. */
#ifndef CLIENT_DEAD_LETTERS_H
#define CLIENT_DEAD_LETTERS_H

#include "client/desk.h"
#include "common/arena.h"
#include "common/codec.h"
#include "common/str.h"

enum { DEAD_LETTERS_MAX = 60000 };

struct dead_letter {
    struct dead_letter *next;
    struct tag tag;
    struct message msg; /* in the arena */
};

struct dead_letters {
    struct desk desk; /* first: the events' self */
    struct arena arena;
    struct dead_letter *first, **last;
    size_t count;
    uint64_t waiting, wanted; /* in the broker; of those, to be fetched */
    const char *queue;        /* they belong to, for those that do not say */
    bool counted, cancelled, published;
    int code; /* of what was counted or published */
};

/* EXIT_DONE, or another exit code after having complained. */
int dead_letters_open(struct dead_letters *dead, const struct command_globals *globals);
/* Takes the oldest `limit` out of <queue>.dead. UMBEL_OK, UMBEL_NOT_FOUND when there is no such queue,
 * UMBEL_TIMEOUT, ... */
int dead_letters_fetch(struct dead_letters *dead, const char *queue, uint64_t limit);
/* Publishes it to where it came from, then removes it. UMBEL_OK or why it was not taken; then it stays. */
int dead_letters_replay(struct dead_letters *dead, struct dead_letter *letter);
void dead_letters_drop(struct dead_letters *dead, struct dead_letter *letter);
/* Gives back what was not settled. */
void dead_letters_close(struct dead_letters *dead);
#endif
