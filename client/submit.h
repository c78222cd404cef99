/* submit.h: what the other ways to submit need of submit.c. */
#ifndef CLIENT_SUBMIT_H
#define CLIENT_SUBMIT_H

#include <umbel/client.h>

/* A future of a call that was not sent: done, with this code and half a sentence (or NULL). */
umbel_future *submit_refused(umbel_client *client, const char *task, const umbel_submit_options *options,
                             int code, const char *why);

#endif
