/* submit.h: what the other ways to submit need of submit.c. */
#ifndef CLIENT_SUBMIT_H
#define CLIENT_SUBMIT_H

#include <umbel/client.h>
#include <umbel/executor.h>

/* A future of a call that was not sent: done, with this code and half a sentence (or NULL). */
umbel_future *submit_refused(umbel_client *client, const char *task, const umbel_submit_options *options,
                             int code, const char *why);

/* Does such a call, made here and now, go straight to the worker of our own (direct.h)? */
bool submit_is_direct(umbel_client *client, const umbel_submit_options *options);
/* Such a call (submit_is_direct has said so) of a function; `name` is static text or NULL. */
umbel_future *submit_function(umbel_client *client, umbel_function *function, const char *name,
                              umbel_arguments arguments, const umbel_submit_options *options);

#endif
