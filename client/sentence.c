/* sentence.c: see sentence.h. */
#include "client/sentence.h"

#include <stdio.h>

static const char *text_or(const char *text, const char *other)
{
    return text && *text ? text : other;
}

void sentence_unsent(char *out, size_t size, const char *title, const char *queue, int code, const char *why)
{
    switch (code) {
    case UMBEL_UNROUTABLE:
        snprintf(out, size,
                 "task %s was not sent: no worker has created queue '%s' yet; start one, or ask for the "
                 "queue (create_queue)",
                 title, queue);
        return;
    case UMBEL_REFUSED:
        snprintf(out, size,
                 "task %s was not sent: queue '%s' refused it (%s); it is full, or its policy forbids it",
                 title, queue, text_or(why, "no reason given"));
        return;
    case UMBEL_BROKER_AWAY:
        snprintf(
            out, size,
            "task %s was not accepted in time: the broker cannot be reached (%s); start it, or check the URL",
            title, text_or(why, "no answer"));
        return;
    case UMBEL_BROKER_BLOCKED:
        snprintf(
            out, size,
            "task %s was not accepted in time: the broker blocks publishers (%s); free memory or disk there",
            title, text_or(why, "memory or disk alarm"));
        return;
    case UMBEL_BUSY:
        snprintf(out, size,
                 "task %s was not sent: the client's buffer stayed full; the broker takes less than is "
                 "submitted: submit "
                 "more slowly, or set .buffer_bytes or .timeout higher",
                 title);
        return;
    case UMBEL_CLOSED:
        snprintf(out, size, "task %s was not sent: the client was closed before the broker had confirmed it",
                 title);
        return;
    default:
        snprintf(out, size, "task %s was not sent: %s", title, text_or(why, umbel_strerror(code)));
    }
}

static const char *how_far(umbel_state state)
{
    switch (state) {
    case UMBEL_STATE_SENDING:
        return "it is still waiting in this client to be sent";
    case UMBEL_STATE_STARTED:
        return "a worker is running it";
    case UMBEL_STATE_RETRYING:
        return "it failed and will be run again";
    default:
        return "no worker has answered; is one running that consumes its queue?";
    }
}

void sentence_late(char *out, size_t size, const char *title, umbel_state state, double seconds,
                   const char *away)
{
    snprintf(out, size, "no result of task %s within %g s: %s", title, seconds,
             text_or(away, how_far(state)));
}

void sentence_failed(char *out, size_t size, const char *title, const char *type, const char *message)
{
    if (message && *message)
        snprintf(out, size, "task %s failed: %s: %s", title, text_or(type, "Error"), message);
    else
        snprintf(out, size, "task %s failed: %s", title, text_or(type, "Error"));
}

void sentence_revoked(char *out, size_t size, const char *title, const char *message)
{
    snprintf(out, size, "task %s was revoked before it finished (%s)", title, text_or(message, "revoked"));
}

void sentence_runs(char *out, size_t size, const char *title)
{
    snprintf(out, size, "task %s was not taken back: it runs already; umbel_cancel stops it", title);
}

void sentence_ended(char *out, size_t size, const char *title, int code)
{
    if (code == UMBEL_CANCELLED)
        snprintf(out, size, "task %s was cancelled before it was done", title);
    else if (code == UMBEL_CLOSED)
        snprintf(out, size, "the client was closed before task %s was done; ask for its result by its id",
                 title);
    else
        snprintf(out, size, "the result of task %s could not be kept: %s", title, umbel_strerror(code));
}

void sentence_unfit(char *out, size_t size, const char *title, int code, const char *is, const char *wanted)
{
    if (code == UMBEL_BAD_VALUE)
        snprintf(out, size, "the result of task %s does not fit into a %s", title, wanted);
    else if (code == UMBEL_BAD_TYPE)
        snprintf(out, size, "the result of task %s is of type %s, not a %s", title, is, wanted);
    else
        snprintf(out, size, "the result of task %s cannot be read: %s", title, umbel_strerror(code));
}
