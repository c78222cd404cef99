/* signals.c: see signals.h. */
#include "worker/signals.h"

#include <signal.h>
#include <umbel/error.h>

static const int caught_numbers[SIGNALS_MAX] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};

static void on_signal(uv_signal_t *handle, int number)
{
    struct signals *signals = handle->data;
    signals->caught(signals->self, number);
}

int signals_start(struct signals *signals, struct loop *loop, void (*caught)(void *self, int number),
                  void *self)
{
    *signals = (struct signals){.caught = caught, .self = self};
    signal(SIGPIPE, SIG_IGN);
    while (signals->count < SIGNALS_MAX) {
        uv_signal_t *handle = &signals->handles[signals->count];
        if (uv_signal_init(&loop->uv, handle) != 0)
            return UMBEL_SYSTEM;
        handle->data = signals;
        signals->count++;
        if (uv_signal_start(handle, on_signal, caught_numbers[signals->count - 1]) != 0)
            return UMBEL_SYSTEM;
    }
    return UMBEL_OK;
}

void signals_end(struct signals *signals)
{
    for (int i = 0; i < signals->count; i++)
        uv_close((uv_handle_t *)&signals->handles[i], NULL);
    signals->count = 0;
}
