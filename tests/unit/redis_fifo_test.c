/* redis_fifo_test.c: replies meet their requests in order, however the ring turns and grows. */
#include <criterion/criterion.h>

#include "broker/redis_fifo.h"

TestSuite(redis_fifo, .timeout = 20);

static void push(struct redis_fifo *fifo, uint64_t token)
{
    cr_assert(redis_fifo_push(fifo, &(struct redis_expect){.token = token, .kind = (uint32_t)token * 3}));
}

static void pops(struct redis_fifo *fifo, uint64_t token)
{
    struct redis_expect expect;
    cr_assert_eq(redis_fifo_head(fifo)->token, token);
    cr_assert(redis_fifo_pop(fifo, &expect));
    cr_assert_eq(expect.token, token);
    cr_assert_eq(expect.kind, (uint32_t)token * 3);
}

Test(redis_fifo, an_empty_one_has_nothing)
{
    struct redis_fifo fifo = {0};
    struct redis_expect expect;
    cr_assert_null(redis_fifo_head(&fifo));
    cr_assert_not(redis_fifo_pop(&fifo, &expect));
    redis_fifo_fini(&fifo);
}

Test(redis_fifo, the_first_in_is_the_first_out_while_it_grows)
{
    struct redis_fifo fifo = {0};
    for (uint64_t i = 0; i < 10000; i++)
        push(&fifo, i);
    for (uint64_t i = 0; i < 10000; i++)
        pops(&fifo, i);
    cr_assert_null(redis_fifo_head(&fifo));
    redis_fifo_fini(&fifo);
}

Test(redis_fifo, it_may_grow_when_it_has_wrapped_anywhere)
{
    for (uint64_t turned = 0; turned < 130; turned++) {
        struct redis_fifo fifo = {0};
        for (uint64_t i = 0; i < turned; i++) {
            push(&fifo, i);
            pops(&fifo, i);
        }
        for (uint64_t i = 0; i < 300; i++)
            push(&fifo, i);
        for (uint64_t i = 0; i < 300; i++)
            pops(&fifo, i);
        redis_fifo_fini(&fifo);
    }
}

Test(redis_fifo, a_steady_state_does_not_grow)
{
    struct redis_fifo fifo = {0};
    for (uint64_t i = 0; i < 50; i++)
        push(&fifo, i);
    size_t size = fifo.size;
    for (uint64_t i = 50; i < 100000; i++) {
        pops(&fifo, i - 50);
        push(&fifo, i);
    }
    cr_assert_eq(fifo.size, size);
    redis_fifo_fini(&fifo);
}
