/* client.h: what a client and its futures share.
 *
 * Counted: the caller's handle is one reference, each future another, so that futures outlive umbel_close.
 * The engine ends with umbel_close; what is left then is memory and locks. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdatomic.h>
#include <umbel/client.h>
#include "client/callback.h"
#include "client/engine.h"
#include "client/fork_mark.h"
#include "client/nested.h"
#include "common/codec.h"
#include "common/log.h"

struct umbel_client {
    atomic_int refs;
    struct fork_mark mark;
    umbel_client_options options; /* defaults filled in; its strings are not kept */
    enum codec codec;
    struct log log;
    struct callbacks callbacks;
    struct engine engine;
    bool opened;                 /* the engine was opened; else `broken` says why not */
    int broken;                  /* UMBEL_OK, or what every call answers */
    char broken_why[OUTBOX_WHY]; /* and why; never changes */
    atomic_bool closed;          /* umbel_close has begun */

    pthread_mutex_t lock;
    char said[OUTBOX_WHY]; /* what went wrong last */

    const struct nested_calls *nested; /* it is used inside tasks; NULL: by an application */
    void *nested_self;

    pthread_mutex_t scratch_lock; /* numbers are read here, so that a future that holds one needs no arena */
    struct arena scratch;
};

void client_ref(umbel_client *client);
void client_unref(umbel_client *client);
/* UMBEL_OK, UMBEL_FORKED, UMBEL_CLOSED, or what is wrong with its URLs; of NULL UMBEL_NO_MEMORY. */
int client_check(umbel_client *client);
/* Remembers what went wrong, for umbel_client_error. */
void client_say(umbel_client *client, const char *text);
/* The serializer of a call: its own wish, else the client's. */
enum codec client_codec(const umbel_client *client, umbel_serializer wish);
/* A timeout of a call: the default for a negative one, none on the background thread, which must
 * not wait (a coroutine on it may: it parks). */
double client_timeout(umbel_client *client, double timeout);

#endif
