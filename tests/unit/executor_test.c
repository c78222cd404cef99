/* executor_test.c: a client with a pool of its own. What all pools and transports share is in tests/matrix.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <umbel/executor.h>
#include "common/str.h"
#include "worker/local.h"
#include "worker/local_options.h"

static void square(umbel_task *task)
{
    int64_t x;
    if (umbel_args(task, &x))
        return;
    umbel_return(task, x * x);
}

static void process_id(umbel_task *task)
{
    umbel_return(task, (int64_t)getpid());
}

static int plan_of(const char *text, struct local_plan *plan)
{
    struct arena arena;
    struct buffer why;
    struct url url;
    const char *fault;
    arena_init(&arena, 0);
    buffer_init(&why, 1000);
    cr_assert_eq(url_parse(&arena, text, &url, &fault), UMBEL_OK);
    int code = local_plan_read(plan, &url, 3, &why);
    cr_assert_eq(code == UMBEL_OK, buffer_length(&why) == 0, "a refusal, and only that, is explained");
    buffer_fini(&why);
    arena_fini(&arena);
    return code;
}

Test(executor, the_url_names_the_pool_and_its_size)
{
    struct local_plan plan;
    cr_assert_eq(plan_of("memory://?pool=processes", &plan), UMBEL_OK);
    cr_assert_str_eq(plan.pool, "prefork");
    cr_assert_eq(plan.concurrency, 3);
    cr_assert_not(plan.in_process);
    cr_assert_eq(plan_of("memory://x?concurrency=7&pool=threads&max_tasks_per_child=5", &plan), UMBEL_OK);
    cr_assert_str_eq(plan.pool, "threads");
    cr_assert_eq(plan.concurrency, 7);
    cr_assert_eq(plan.max_tasks_per_child, 5);
    cr_assert(plan.in_process);
    cr_assert_eq(plan_of("memory://?pool=solo&concurrency=4", &plan), UMBEL_OK);
    cr_assert_eq(plan.concurrency, 1, "solo is one");
}

Test(executor, an_option_that_is_not_known_or_out_of_range_is_refused)
{
    static const char *const wrong[] = {"memory://?pool=thread",
                                        "memory://?pool=solo&concurency=2",
                                        "memory://?concurrency=2",
                                        "memory://?pool=solo&concurrency",
                                        "memory://?pool=solo&concurrency=0",
                                        "memory://?pool=solo&concurrency=-1",
                                        "memory://?pool=",
                                        "memory://?pool=threads&concurrency=1x"};
    struct local_plan plan;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_eq(plan_of(wrong[i], &plan), UMBEL_BAD_URL, "%s", wrong[i]);
}

Test(executor, only_memory_with_a_pool_is_an_executor)
{
    cr_assert(local_is_meant("memory://?pool=solo"));
    cr_assert(local_is_meant("memory://name?pool=anything"));
    cr_assert_not(local_is_meant("memory://"));
    cr_assert_not(local_is_meant("sqlite:file?pool=solo"));
    cr_assert_not(local_is_meant("amqp://host//?pool=solo"));
    cr_assert_not(local_is_meant(""));
    cr_assert_not(local_is_meant(NULL));
}

static int64_t call_for(umbel_client *client, umbel_function *function, int64_t argument, bool given)
{
    int64_t value = -1;
    umbel_future *future = given ? umbel_submit_call(client, function, UMBEL_ARGS(argument))
                                 : umbel_submit_call(client, function, UMBEL_ARGS());
    cr_assert_eq(umbel_get(future, 10, &value), UMBEL_OK, "%s", umbel_error(future));
    umbel_future_free(future);
    return value;
}

Test(executor, a_function_runs_in_solo_and_in_a_child, .timeout = 60)
{
    umbel_client *solo = umbel_connect("memory://?pool=solo", NULL);
    umbel_client *children = umbel_connect("memory://?pool=processes&concurrency=2", NULL);
    cr_assert_eq(call_for(solo, square, 7, true), 49);
    cr_assert_eq(call_for(children, square, 9, true), 81);
    cr_assert_eq(call_for(solo, process_id, 0, false), getpid());
    cr_assert_neq(call_for(children, process_id, 0, false), getpid());
    cr_assert_eq(umbel_close(children, 5), UMBEL_OK);
    cr_assert_eq(umbel_close(solo, 5), UMBEL_OK);
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "no process is left");
}

Test(executor, it_runs_calls_in_chunks, .timeout = 60)
{
    umbel_client *client = umbel_connect("memory://?pool=solo", NULL);
    umbel_chunk *chunk = umbel_chunk_new(client, "umbel.ping", UMBEL_SERIALIZER_DEFAULT);
    cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(1)), UMBEL_OK);
    cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(2)), UMBEL_OK);
    umbel_future *future = umbel_submit_chunk(chunk);
    const umbel_value *list = NULL;
    int64_t second = 0;
    cr_assert_eq(umbel_get(future, 10, &list), UMBEL_OK, "%s", umbel_error(future));
    cr_assert_eq(umbel_value_count(list), 2);
    cr_assert_eq(umbel_value_int(umbel_value_at(list, 1), &second), UMBEL_OK);
    cr_assert_eq(second, 2);
    umbel_future_free(future);
    umbel_chunk_free(chunk);
    cr_assert_eq(umbel_close(client, 5), UMBEL_OK);
}

Test(executor, every_queue_that_is_submitted_to_is_served, .timeout = 60)
{
    umbel_client *client = umbel_connect("memory://?pool=solo", NULL);
    int64_t sum = 0, value = 0;
    for (int i = 0; i < 6; i++) {
        static const char *const queues[] = {"a", "b", "celery"};
        umbel_future *future = umbel_submit_call(client, square, UMBEL_ARGS(i), .queue = queues[i % 3]);
        cr_assert_eq(umbel_get(future, 10, &value), UMBEL_OK, "%s", umbel_error(future));
        sum += value;
        umbel_future_free(future);
    }
    cr_assert_eq(sum, 55);
    umbel_close(client, 5);
}

Test(executor, a_function_needs_a_pool_of_its_own)
{
    umbel_client *client = umbel_connect("memory://executor-test", NULL);
    umbel_future *future = umbel_submit_call(client, square, UMBEL_ARGS(1));
    cr_assert_eq(umbel_get(future, 1, NULL), UMBEL_NOT_SUPPORTED);
    cr_assert(strstr(umbel_error(future), "UMBEL_TASK"), "%s", umbel_error(future));
    umbel_future_free(future);
    umbel_close(client, 1);
}

static void *connect_elsewhere(void *url)
{
    return umbel_connect(url, NULL);
}

/* The kernel tells a child of its parent's thread's end as if it were the parent's. */
Test(executor, children_outlive_the_thread_that_connected, .timeout = 60)
{
    pthread_t thread;
    void *client;
    pthread_create(&thread, NULL, connect_elsewhere,
                   (void *)(uintptr_t) "memory://?pool=processes&concurrency=1");
    pthread_join(thread, &client);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(call_for(client, square, i, true), i * i);
    umbel_close(client, 5);
}

Test(executor, two_programs_in_one_share_a_named_hub, .timeout = 60)
{
    umbel_client *owner = umbel_connect("memory://shared?pool=solo", NULL);
    umbel_client *guest = umbel_connect("memory://shared", NULL);
    umbel_future *future = umbel_submit(guest, "no.such.task", UMBEL_ARGS());
    cr_assert_eq(umbel_get(future, 10, NULL), UMBEL_FAILED);
    cr_assert_str_eq(umbel_error_type(future), "NotRegistered");
    umbel_future_free(future);
    umbel_close(guest, 1);
    umbel_close(owner, 1);
}

/* Whoever has used libuv before has left a handler for forks, which must not meet the descriptors of
 * children. */
Test(executor, one_executor_after_the_other_has_children, .timeout = 60)
{
    for (int i = 0; i < 4; i++) {
        umbel_client *client = umbel_connect("memory://?pool=processes&concurrency=2", NULL);
        cr_assert_eq(call_for(client, square, i, true), i * i);
        cr_assert_eq(umbel_close(client, 5), UMBEL_OK);
    }
}

static void the_newest_are_kept(bool asked_late)
{
    enum { COUNT = 10500 };
    umbel_client *client = umbel_connect("memory://?pool=solo", NULL);
    char first[64], last[64];
    for (int i = 0; i < COUNT; i++) {
        umbel_future *future = umbel_submit_call(client, square, UMBEL_ARGS(i));
        if (asked_late)
            cr_assert_eq(umbel_get(future, 10, (void *)NULL), UMBEL_OK, "%s", umbel_error(future));
        const char *id = umbel_future_id(future); /* the result of one whose id nobody has is not kept */
        if (i == 0 || i == COUNT - 1)
            snprintf(i ? last : first, sizeof first, "%s", id);
        if (i % 100 == 0 || i == COUNT - 1)
            cr_assert_eq(umbel_get(future, 10, (void *)NULL), UMBEL_OK, "%s", umbel_error(future));
        umbel_future_free(future);
    }
    int64_t value = 0;
    umbel_future *gone = umbel_future_from_id(client, first), *kept = umbel_future_from_id(client, last);
    cr_assert_eq(umbel_get(kept, 10, &value), UMBEL_OK, "%s", umbel_error(kept));
    cr_assert_eq(value, (int64_t)(COUNT - 1) * (COUNT - 1));
    cr_assert_eq(umbel_get(gone, 0.1, &value), UMBEL_TIMEOUT);
    umbel_future_free(gone);
    umbel_future_free(kept);
    umbel_close(client, 5);
}

Test(executor, the_newest_results_are_kept_and_no_more, .timeout = 60)
{
    the_newest_are_kept(false);
}

Test(executor, of_those_asked_for_when_they_are_done_no_more_are_kept, .timeout = 60)
{
    the_newest_are_kept(true);
}

static void until_told(umbel_task *task)
{
    while (umbel_sleep(task, 10) == UMBEL_OK)
        ;
}

Test(executor, what_runs_and_is_not_taken_back_says_so, .timeout = 60)
{
    umbel_client *client = umbel_connect("memory://?pool=threads&concurrency=1", NULL);
    umbel_future *future = umbel_submit_call(client, until_told, UMBEL_ARGS());
    while (!umbel_running(future))
        usleep(1000);
    cr_assert_eq(umbel_cancel_pending(future), UMBEL_BUSY);
    cr_assert(strstr(umbel_error(future), "it runs already"), "%s", umbel_error(future));
    cr_assert_eq(umbel_cancel(future), UMBEL_OK);
    umbel_future_free(future);
    umbel_close(client, 5);
}

static atomic_int patience; /* 1: it runs, 2: it may end */

static void until_let(umbel_task *task)
{
    atomic_store(&patience, 1);
    while (atomic_load(&patience) < 2 && umbel_sleep(task, 0.001) == UMBEL_OK)
        ;
}

Test(executor, what_was_said_while_it_ran_is_forgotten_when_it_has_succeeded, .timeout = 60)
{
    umbel_client *client = umbel_connect("memory://?pool=threads&concurrency=1", NULL);
    umbel_future *future = umbel_submit_call(client, until_let, UMBEL_ARGS());
    while (!umbel_running(future))
        usleep(1000);
    cr_assert_eq(umbel_cancel_pending(future), UMBEL_BUSY);
    atomic_store(&patience, 2);
    cr_assert_eq(umbel_get(future, 30, (void *)NULL), UMBEL_OK);
    cr_assert_str_eq(umbel_error(future), "");
    umbel_future_free(future);
    umbel_close(client, 5);
}

Test(executor, a_mapping_that_is_freed_says_nothing_over_what_was_said, .timeout = 60)
{
    umbel_client *client = umbel_connect("memory://?pool=threads&concurrency=1", NULL);
    umbel_value *list = umbel_list_new();
    cr_assert_eq(umbel_add_int(list, NULL, 1), UMBEL_OK);
    umbel_mapping *mapping = umbel_map(client, "until_let", list, .function = until_let);
    while (atomic_load(&patience) < 1)
        usleep(1000);
    umbel_future *late = umbel_submit_call(client, square, UMBEL_ARGS(3));
    cr_assert_eq(umbel_get(late, 0.1, (void *)NULL), UMBEL_TIMEOUT);
    umbel_map_free(mapping);
    cr_assert_str_neq(umbel_error(late), "");
    atomic_store(&patience, 2);
    umbel_future_free(late);
    umbel_value_free(list);
    umbel_close(client, 5);
}

static void refuses(umbel_mapping *mapping, const char *name)
{
    int64_t value;
    cr_assert_eq(umbel_map_next(mapping, &value), UMBEL_BAD_ARGUMENT);
    cr_assert(str_starts(str_of(umbel_map_error(mapping)), str_of(name)), "%s", umbel_map_error(mapping));
    cr_assert_eq(umbel_map_next(mapping, &value), UMBEL_EXHAUSTED);
    umbel_map_free(mapping);
}

Test(executor, what_is_no_list_cannot_be_mapped, .timeout = 60)
{
    umbel_client *client = umbel_connect("memory://?pool=solo", NULL);
    umbel_value *map = umbel_map_new();
    cr_assert_eq(umbel_add_int(map, "a", 1), UMBEL_OK);
    refuses(umbel_map(client, "square", map, .function = square), "umbel_map takes a list");
    refuses(umbel_map(client, "square", map, .chunk = 8), "umbel_map takes a list");
    refuses(umbel_map(client, "square", umbel_value_find(map, "a")), "umbel_map takes a list");
    refuses(umbel_map(client, "square", NULL, .unordered = true), "umbel_map takes a list");
    refuses(umbel_starmap(client, "square", map), "umbel_starmap takes a list:");
    umbel_future *future = umbel_map_reduce(client, "square", "square", map, 5);
    cr_assert_eq(umbel_future_code(future), UMBEL_BAD_ARGUMENT);
    cr_assert(strstr(umbel_error(future), "umbel_map_reduce takes a list"), "%s", umbel_error(future));
    umbel_future_free(future);
    umbel_value_free(map);
    umbel_close(client, 5);
}
