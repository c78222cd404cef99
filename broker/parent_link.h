/* parent_link.h: the client's end of the line to the worker (parent_wire.h): one descriptor that the
 * transport and the backend of one client share. "parent://6" names descriptor 6.
 *
 * The descriptor is taken over by the first that opens it and closed by the last that leaves. When the other
 * end is gone the line is down for good: the worker lives longer than those who run its tasks. */
#ifndef BROKER_PARENT_LINK_H
#define BROKER_PARENT_LINK_H

#include "broker/parent_wire.h"
#include "common/loop.h"
#include "common/url.h"

struct parent_link;

enum parent_side { PARENT_TRANSPORT_SIDE, PARENT_BACKEND_SIDE, PARENT_SIDES };

struct parent_hearer {
    void (*frame)(void *self, const struct parent_frame *frame);
    /* The line is down, once; also when it was so from the start, then in a turn of its own. */
    void (*down)(void *self, const char *why);
};

/* NULL and `why` when the URL names no descriptor, or memory is out. Both sides open it on one loop. */
struct parent_link *parent_link_open(struct loop *loop, const struct url *url, enum parent_side side,
                                     const struct parent_hearer *hearer, void *self, const char **why);
/* What was written leaves, as far as the kernel takes it. The last side frees the link. */
void parent_link_close(struct parent_link *link, enum parent_side side);
bool parent_link_is_up(const struct parent_link *link);
/* Where frames are appended; call parent_link_wrote after. Only while it is up. */
struct buffer *parent_link_output(struct parent_link *link);
void parent_link_wrote(struct parent_link *link);
/* Bytes the other end has not taken yet. `drained` frames do not exist: look again when an answer comes. */
size_t parent_link_pending(const struct parent_link *link);

#endif
