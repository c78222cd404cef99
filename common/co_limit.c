/* co_limit.c: what ends the waits of a coroutine early: its scopes, its owner, co_cancel. See co.h. */
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
    if (co->scope)
        deadline = fmin(deadline, co->scope->deadline);
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

int co_pass(void)
{
    struct co *self = co_self();
    if (must_stop(self) || earliest(self, INFINITY) <= clock_mono())
        return UMBEL_TIMEOUT;
    co_give_turn();
    return must_stop(self) ? UMBEL_TIMEOUT : UMBEL_OK;
}

int co_sleep_until(double deadline)
{
    while (clock_mono() < deadline)
        if (co_park(deadline) && clock_mono() < deadline)
            return UMBEL_TIMEOUT;
    return UMBEL_OK;
}

/* ---- scopes ---- */

void co_scope_begin(struct co_scope *scope, double deadline)
{
    struct co *self = co_self();
    scope->outer = self->scope;
    scope->deadline = scope->outer ? fmin(deadline, scope->outer->deadline) : deadline;
    self->scope = scope;
}

bool co_scope_end(struct co_scope *scope)
{
    struct co *self = co_self();
    assert(self->scope == scope && "scopes end in the order in which they began, innermost first");
    self->scope = scope->outer;
    return scope->deadline <= clock_mono();
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
    self->scope = NULL; /* a task may have forgotten to end one */
    self->cancelled = false;
}

void co_cancel(struct co *co)
{
    co->cancelled = true;
    co_wake(co);
}
