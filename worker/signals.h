/* signals.h: signals of a worker become calls on its loop. */
#ifndef WORKER_SIGNALS_H
#define WORKER_SIGNALS_H

#include "common/loop.h"

#define SIGNALS_MAX 4

struct signals {
    uv_signal_t handles[SIGNALS_MAX];
    int count;
    void (*caught)(void *self, int number);
    void *self;
};

/* Catches SIGTERM, SIGINT, SIGQUIT and SIGHUP; SIGPIPE is ignored. UMBEL_OK or UMBEL_SYSTEM. */
int signals_start(struct signals *signals, struct loop *loop, void (*caught)(void *self, int number),
                  void *self);
void signals_end(struct signals *signals);

#endif
