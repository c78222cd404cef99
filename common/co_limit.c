/* co_limit.c: what ends the waits of a coroutine early: its own limit, its owner, co_cancel. See co.h. */
#include "common/co_inside.h"

#include <assert.h>
#include <math.h>
#include <umbel/error.h>
#include "common/clock.h"

static bool must_stop(const struct co *co)
{
    const struct co_owner *owner = co->owner;
    if (co->cancelled)
        return true;
    if (!owner)
        return false;
    return (owner->closing && owner->keeper != co) || (owner->interrupted && owner->interrupted(owner->self));
}

static double earliest(const struct co *co, double deadline)
{
    deadline = fmin(deadline, co->limit);
    return co->owner ? fmin(deadline, co->owner->limit) : deadline;
}

double co_deadline(double deadline)
{
    const struct co *self = co_self();
    return self ? earliest(self, deadline) : deadline;
}

int co_park(double deadline)
{
    struct co *self = co_self();
    assert(self && "parking needs a coroutine");
    if (must_stop(self))
        return UMBEL_TIMEOUT;
    return co_park_firmly(earliest(self, deadline));
}

bool co_stopping(void)
{
    const struct co *self = co_self();
    double end = earliest(self, INFINITY);
    return must_stop(self) || (end < INFINITY && end <= clock_mono());
}

int co_pass(void)
{
    if (co_stopping())
        return UMBEL_TIMEOUT;
    co_give_turn();
    return co_stopping() ? UMBEL_TIMEOUT : UMBEL_OK;
}

int co_sleep_until(double deadline)
{
    while (clock_mono() < deadline)
        if (co_park(deadline) && clock_mono() < deadline)
            return UMBEL_TIMEOUT;
    return UMBEL_OK;
}

double co_limit_narrow(double deadline)
{
    struct co *self = co_self();
    double before = self->limit;
    self->limit = fmin(before, deadline);
    return before;
}

void co_limit_restore(double before)
{
    co_self()->limit = before;
}

/* ---- owners ---- */

void co_own(struct co_owner *owner)
{
    struct co *self = co_self();
    assert(!self->owner);
    owner->keeper = self;
    owner->others = 0;
    owner->closing = false;
    self->owner = owner;
}

static void stop_others(struct co_owner *owner)
{
    owner->closing = true;
    for (struct co *co = owner->keeper->scheduler->all; co; co = co->after)
        if (co->owner == owner && co != owner->keeper)
            co_wake(co);
}

void co_disown(struct co_owner *owner)
{
    struct co *self = co_self();
    assert(self == owner->keeper);
    if (owner->others)
        stop_others(owner);
    while (owner->others)
        co_park_firmly(INFINITY);
    self->owner = NULL;
    self->limit = INFINITY; /* a task may have forgotten to restore it */
    self->cancelled = false;
}

void co_cancel(struct co *co)
{
    co->cancelled = true;
    co_wake(co);
}

bool co_is_cancelled(const struct co *co)
{
    return co->cancelled;
}

void *co_owner_self(void)
{
    const struct co *self = co_self();
    return self && self->owner ? self->owner->self : NULL;
}
