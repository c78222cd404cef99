/* child_wire.h: a child's words to its parent: frames into the shared ring, large ones over the socket, a
 * bell when there is something to see. One writer at a time: a child that has several locks around it.
 *
 * Without its parent a child is of no use: when the socket ends these calls do not return. */
#ifndef WORKER_CHILD_WIRE_H
#define WORKER_CHILD_WIRE_H

#include "worker/child_page.h"
#include "worker/pool.h"

/* A frame that has waited so long is announced even if more are to come at once. */
#define WIRE_ANNOUNCE_NS 200000

struct child_wire {
    struct child_page *page;
    uint64_t unannounced; /* when the oldest frame was written that no bell has told of; 0 = none */
    bool late; /* a frame took its time: there was no room for it, or it was large. The child's to clear */
};

/* May wait for the parent to make room. Announces nothing. */
void wire_send(struct child_wire *wire, const struct frame_pieces *pieces);
/* A job's outcome; it counts as unannounced since `now_ns`. */
void wire_done(struct child_wire *wire, uint32_t number, const struct outcome *outcome, uint64_t now_ns);
/* Tells the parent to look, unless it has been told and has not looked yet. */
void wire_bell(struct child_wire *wire);

#endif
