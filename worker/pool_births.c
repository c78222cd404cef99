/* pool_births.c: children wanted against children alive. There is no other restart path.
 *
 * A child that served and then died is replaced at once. One that dies before it is ready (a hook that fails,
 * a library that is missing) would be born and die for ever at full speed: each such death in a row doubles a
 * pause, up to 2 s. */
#include "worker/pool_prefork.h"

#define BRAKE_FIRST_MS 100
#define BRAKE_LAST_MS 2000
#define IN_BIRTH_MAX 32 /* so that requests never fill the server's socket */

static uint64_t brake_ms(int early_deaths)
{
    uint64_t pause = BRAKE_FIRST_MS;
    for (int i = 1; i < early_deaths && pause < BRAKE_LAST_MS; i++)
        pause *= 2;
    return pause < BRAKE_LAST_MS ? pause : BRAKE_LAST_MS;
}

void births_early_death(struct prefork *pool)
{
    pool->early_deaths++;
    pool->brake_until = loop_now(pool->loop) + brake_ms(pool->early_deaths);
}

void births_spawn(struct prefork *pool, struct slot *slot)
{
    page_reset(slot->page);
    slot->page->plan =
        (struct child_plan){.crew = (int)pool->crew,
                            .most_waiting = pool->crew == CREW_THREADS ? pool->options.max_waiting : 0,
                            .slots = slot->crew.solitary ? 1 : pool->width,
                            .stack_size = pool->options.stack_size};
    if (fork_server_spawn(pool->options.fork_server, slot->index)) {
        births_early_death(pool);
        return;
    }
    slot->state = SLOT_ASKED;
    slot->unborn = true;
    pool->children++;
    pool->in_birth++;
    if (slot->index >= pool->used)
        pool->used = slot->index + 1;
}

bool births_braked(struct prefork *pool)
{
    uint64_t now = loop_now(pool->loop);
    if (pool->brake_until <= now)
        return false;
    if (!uv_is_active((uv_handle_t *)&pool->brake))
        uv_timer_start(&pool->brake, births_on_brake, pool->brake_until - now, 0);
    return true;
}

void births_check(struct prefork *pool)
{
    if (pool->crew) {
        crew_births(pool);
        return;
    }
    int wanted = lend_children(pool);
    for (int i = wanted; i < pool->used; i++)
        slot_retire(&pool->slots[i]);
    if (pool->lost || (pool->stopping && prefork_waiting(pool) == 0))
        return;
    for (int i = 0; i < wanted && pool->in_birth < IN_BIRTH_MAX; i++) {
        struct slot *slot = slot_at(pool, i);
        if (slot->state == SLOT_EMPTY && !births_braked(pool))
            births_spawn(pool, slot);
    }
}

void births_on_brake(uv_timer_t *timer)
{
    births_check(timer->data);
}
