/* amqp_tags.c: a ring indexed by delivery tag. Requeues are told first: an "up to" may then pass over them.
 */
#include "broker/amqp_tags.h"

#include <stdlib.h>

enum tag_state { TAG_OPEN, TAG_ACKED, TAG_REQUEUED, TAG_TOLD };

struct amqp_tag_entry {
    size_t cost;
    enum tag_state state;
};

static struct amqp_tag_entry *entry(const struct amqp_tags *tags, uint64_t number)
{
    return &tags->ring[number & (tags->size - 1)];
}

void amqp_tags_init(struct amqp_tags *tags)
{
    *tags = (struct amqp_tags){.first = 1, .next = 1};
}

void amqp_tags_fini(struct amqp_tags *tags)
{
    free(tags->ring);
    free(tags->settled);
    amqp_tags_init(tags);
}

void amqp_tags_restart(struct amqp_tags *tags)
{
    tags->first = tags->next = 1;
    tags->settled_count = tags->open = 0;
}

static bool grow(struct amqp_tags *tags)
{
    size_t size = tags->size ? tags->size * 2 : 64;
    uint64_t *settled = realloc(tags->settled, size * sizeof *settled);
    if (settled)
        tags->settled = settled;
    struct amqp_tag_entry *ring = malloc(size * sizeof *ring);
    if (!settled || !ring) {
        free(ring);
        return false;
    }
    for (uint64_t number = tags->first; number < tags->next; number++)
        ring[number & (size - 1)] = *entry(tags, number);
    free(tags->ring);
    tags->ring = ring;
    tags->size = size;
    return true;
}

bool amqp_tags_add(struct amqp_tags *tags, uint64_t number, size_t cost)
{
    if (number != tags->next || (tags->next - tags->first == tags->size && !grow(tags)))
        return false;
    *entry(tags, number) = (struct amqp_tag_entry){.cost = cost, .state = TAG_OPEN};
    tags->next++;
    tags->open++;
    return true;
}

bool amqp_tags_settle(struct amqp_tags *tags, uint64_t number, bool requeue, size_t *cost)
{
    if (number < tags->first || number >= tags->next || entry(tags, number)->state != TAG_OPEN)
        return false;
    entry(tags, number)->state = requeue ? TAG_REQUEUED : TAG_ACKED;
    *cost = entry(tags, number)->cost;
    tags->settled[tags->settled_count++] = number;
    tags->open--;
    return true;
}

typedef void tell_one(void *self, struct amqp_settlement settlement);

static void tell_single(struct amqp_tags *tags, enum tag_state state, tell_one *tell, void *self)
{
    for (size_t i = 0; i < tags->settled_count; i++) {
        uint64_t number = tags->settled[i];
        if (number < tags->first || entry(tags, number)->state != state)
            continue;
        entry(tags, number)->state = TAG_TOLD;
        tell(self, (struct amqp_settlement){.number = number, .requeue = state == TAG_REQUEUED});
    }
}

/* The finished prefix, as one. The number told must be one the broker still waits for: the last acked. */
static void tell_prefix(struct amqp_tags *tags, tell_one *tell, void *self)
{
    uint64_t last = 0, count = 0;
    for (; tags->first < tags->next && entry(tags, tags->first)->state != TAG_OPEN; tags->first++) {
        if (entry(tags, tags->first)->state == TAG_ACKED) {
            last = tags->first;
            count++;
        }
    }
    if (count)
        tell(self, (struct amqp_settlement){.number = last, .multiple = count > 1});
}

static void drop_told(struct amqp_tags *tags)
{
    size_t kept = 0;
    for (size_t i = 0; i < tags->settled_count; i++) {
        uint64_t number = tags->settled[i];
        if (number >= tags->first && entry(tags, number)->state == TAG_ACKED)
            tags->settled[kept++] = number;
    }
    tags->settled_count = kept;
}

size_t amqp_tags_tell(struct amqp_tags *tags, size_t may_wait,
                      void (*tell)(void *self, struct amqp_settlement settlement), void *self)
{
    tell_single(tags, TAG_REQUEUED, tell, self);
    drop_told(tags);
    if (tags->settled_count > may_wait) {
        tell_prefix(tags, tell, self);
        drop_told(tags);
    }
    if (tags->settled_count > may_wait) {
        tell_single(tags, TAG_ACKED, tell, self);
        tags->settled_count = 0;
    }
    return tags->settled_count;
}
