/* copies.h: ids of messages that their senders sent again, not knowing whether the first one had arrived.
 *
 * The copy is marked and may overtake its original, which is not: it can still lie in a connection that the
 * sender has given up and the broker has yet to read. So the ids of copies that came by are remembered, and
 * an original that comes later is taken for what it is: something that may have run before.
 *
 * A filter of two generations: an id is known for at least as long as COPIES_MAX others come after it; now
 * and then one is taken for known that is not, which costs it a look-up. No memory before the first copy. */
#ifndef WORKER_COPIES_H
#define WORKER_COPIES_H

#include <stdbool.h>
#include <stdint.h>
#include <umbel/value.h>

#define COPIES_MAX 65536u

struct copies {
    uint64_t *young, *old; /* bits; both or none */
    uint32_t count;        /* ids in `young` */
};

void copies_init(struct copies *copies);
void copies_fini(struct copies *copies);
/* Forgets to remember when memory is out. */
void copies_add(struct copies *copies, umbel_str id);
bool copies_holds(const struct copies *copies, umbel_str id);
static inline bool copies_any(const struct copies *copies)
{
    return copies->young != NULL;
}

#endif
