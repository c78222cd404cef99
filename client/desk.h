/* desk.h: broker and backend for a command that looks after queues: on the program's own thread, one step at
 * a time.
 *
 * A command's struct begins with its desk, and its events begin with desk_events' first rows. Each step
 * starts something and then waits with desk_wait until a condition of its own holds; every step has an end.
 */
#ifndef CLIENT_DESK_H
#define CLIENT_DESK_H

#include "broker/backend.h"
#include "broker/mailbox.h"
#include "broker/transport.h"
#include "common/command.h"

enum { DESK_WHY = 320 };

struct desk {
    const char *command; /* for what is said */
    struct loop loop;
    uv_timer_t timer;
    struct transport *transport;
    struct backend *backend;
    struct mailbox *mailbox;
    bool timed_out, up;
    int failed; /* a code that time will not mend */
    char why[DESK_WHY];
    int open_ends;
};

/* Opens the broker (or, with backend events, the result backend). EXIT_DONE, or another exit code after
 * having complained. `self` is what the events get. */
int desk_open_broker(struct desk *desk, const char *command, const struct command_globals *globals,
                     const struct transport_events *events);
int desk_open_backend(struct desk *desk, const char *command, const struct command_globals *globals,
                      const struct backend_events *events);
/* The broker's mailbox; `kind` and `name` as in mailbox.h. */
int desk_open_mailbox(struct desk *desk, const char *command, const struct command_globals *globals,
                      enum mailbox_kind kind, const char *name, const struct mailbox_events *events);
/* To be named in the events of the command. */
void desk_broker_state(void *self, enum transport_state state, int code, const char *why);
void desk_backend_state(void *self, enum backend_state state, int code, const char *why);
void desk_mailbox_up(void *self, const char *name);
void desk_mailbox_down(void *self, int code, const char *why);
/* Runs the loop until done(desk), at most `seconds`. UMBEL_OK, UMBEL_TIMEOUT, or the code of what failed for
 * good. */
int desk_wait(struct desk *desk, bool (*done)(struct desk *desk), double seconds);
bool desk_is_up(struct desk *desk);
/* Says what went wrong with a step that answered `code`; answers the exit code. */
int desk_complain(const struct desk *desk, int code);
void desk_close(struct desk *desk);

#endif
