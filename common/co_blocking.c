/* co_blocking.c: see co_blocking.h. The work reads the caller's memory, which is why nobody leaves before it
 * has ended. */
#include "common/co_blocking.h"

#include <math.h>
#include <umbel/error.h>
#include "common/co.h"

struct work {
    uv_work_t request;
    struct co *waiter;
    void (*run)(void *self);
    void *self;
    int status;
    bool over;
};

static void on_thread(uv_work_t *request)
{
    struct work *work = request->data;
    work->run(work->self);
}

static void on_over(uv_work_t *request, int status)
{
    struct work *work = request->data;
    work->status = status;
    work->over = true;
    co_wake(work->waiter);
}

int co_run_blocking(void (*run)(void *self), void *self, double deadline)
{
    struct work work = {.waiter = co_self(), .run = run, .self = self};
    work.request.data = &work;
    if (uv_queue_work(co_scheduler_loop(co_scheduler_of(work.waiter)), &work.request, on_thread, on_over))
        return UMBEL_SYSTEM;
    while (!work.over && co_park(deadline) == UMBEL_OK)
        ;
    if (!work.over)
        uv_cancel((uv_req_t *)&work.request);
    while (!work.over)
        co_park_firmly(INFINITY);
    return work.status ? UMBEL_TIMEOUT : UMBEL_OK;
}
