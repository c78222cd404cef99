/* control.h: a worker's side of remote control: requests come in through its mailbox, a row of a table
 * carries each out, the answer goes back in the form that Celery's `inspect` and `control` read.
 *
 * Nothing that arrives here can harm the tasks: a message that makes no sense is dropped, a request that
 * cannot be carried out is answered with an error. */
#ifndef WORKER_CONTROL_H
#define WORKER_CONTROL_H

#include "worker/control_request.h"
#include "worker/events.h"
#include "worker/node_name.h"

struct worker;

struct control {
    struct worker *worker;
    struct mailbox *mailbox;     /* NULL: the broker has none */
    char node[MAILBOX_NAME_MAX]; /* the name this worker goes by in the cluster */
    uint64_t clock;              /* Lamport's */
    double started_at;           /* monotonic */
    struct events events;
    struct arena arena; /* of one request */
    struct buffer body; /* of one reply */
    bool unsaved;       /* some revoked ids could not be told to the back end */
};

void control_init(struct control *control, struct worker *worker);
void control_fini(struct control *control);
/* Opens the mailbox. A broker without one is no failure. UMBEL_OK, or a code with a sentence. */
int control_open(struct control *control, struct buffer *why);
/* Says goodbye; `closed` comes (perhaps at once) when the mailbox is gone. */
void control_close(struct control *control, double grace, void (*closed)(void *self), void *self);
/* Facts from the consumer. */
void control_task(struct control *control, enum task_news news, const struct request *req,
                  const struct verdict *verdict, const struct outcome *outcome);
void control_backend_up(struct control *control);

/* ---- commands ---- */

/* Carries a request out and puts the reply under `key` into `answer`; without one, null is the reply. False:
 * no reply is sent. */
typedef bool control_run(struct control *control, const umbel_value *arguments, umbel_value *answer,
                         const char *key);

struct control_row {
    const char *name, *alias; /* Celery's; alias may be NULL */
    control_run *run;
};

extern const struct control_row control_inspect_rows[],
    control_change_rows[]; /* end with a row without a name */
/* The row of a method, or NULL. */
const struct control_row *control_find(umbel_str method);
/* {"ok": text} and {"error": text} */
bool control_ok(umbel_value *answer, const char *key, const char *format, ...) UMBEL_PRINTF(3, 4);
bool control_error(umbel_value *answer, const char *key, const char *format, ...) UMBEL_PRINTF(3, 4);
/* Ids that were revoked are noted here, told to the back end, and, with a signal, ended where they run;
 * *ended gets a list of those (a value's list), which may be NULL. */
void control_revoke(struct control *control, const umbel_value *ids, int signal, umbel_value *ended);

#endif
