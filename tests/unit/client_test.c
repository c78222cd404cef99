/* The whole client, its thread included, over memory:// with a thread that plays the worker. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <umbel.h>
#include "client/client.h"
#include "client/future.h"
#include "tests/stress/fake_worker.h"

static struct {
    char url[64];
    struct fake_worker *worker;
    umbel_client *client;
} world;

static void begin(void)
{
    snprintf(world.url, sizeof world.url, "memory://client-test-%d", (int)getpid());
    world.worker = fake_worker_new(world.url);
    world.client = umbel_connect(world.url, NULL);
}

static void end(void)
{
    umbel_close(world.client, 5);
    fake_worker_free(world.worker);
}

TestSuite(client, .init = begin, .fini = end, .timeout = 20);
TestSuite(client_alone, .timeout = 20);

Test(client, a_task_comes_back_with_its_result)
{
    umbel_future *sum = umbel_submit(world.client, "add", UMBEL_ARGS(2, 3));
    int64_t value = 0;
    cr_assert_eq(umbel_get(sum, 5, &value), UMBEL_OK, "%s", umbel_error(sum));
    cr_assert_eq(value, 5);
    int8_t small = 0;
    cr_assert_eq(umbel_get(sum, 5, &small), UMBEL_OK, "any number of times, as any type that fits");
    cr_assert_eq(small, 5);
    cr_assert_eq(umbel_future_state(sum), UMBEL_STATE_SUCCEEDED);
    cr_assert_str_eq(umbel_error(sum), "");
    umbel_future_free(sum);
}

Test(client, msgpack_goes_both_ways)
{
    umbel_future *sum =
        umbel_submit(world.client, "add", UMBEL_ARGS(-2, 300000), .serializer = UMBEL_MSGPACK);
    int64_t value = 0;
    cr_assert_eq(umbel_get(sum, 5, &value), UMBEL_OK, "%s", umbel_error(sum));
    cr_assert_eq(value, 299998);
    umbel_future_free(sum);
}

Test(client, a_result_of_another_type_or_range_says_so)
{
    umbel_future *sum = umbel_submit(world.client, "add", UMBEL_ARGS(200, 300));
    const char *text = NULL;
    cr_assert_eq(umbel_get(sum, 5, &text), UMBEL_BAD_TYPE);
    cr_assert(strstr(umbel_error(sum), "of type int"), "%s", umbel_error(sum));
    uint8_t small = 7;
    cr_assert_eq(umbel_get(sum, 5, &small), UMBEL_BAD_VALUE);
    cr_assert_eq(small, 7);
    umbel_future_free(sum);
}

Test(client, a_worker_that_answers_on_the_tasks_channel_alone_is_heard_soon)
{
    double since = clock_mono();
    umbel_future *sum = umbel_submit(world.client, "python", UMBEL_ARGS(2, 3));
    cr_assert_eq(umbel_get(sum, 5, NULL), UMBEL_OK, "%s", umbel_error(sum));
    cr_assert_lt(clock_mono() - since, 1.0);
    umbel_future_free(sum);
}

Test(client, a_future_from_a_bare_id_finds_what_is_stored_already)
{
    umbel_future *sum = umbel_submit(world.client, "add", UMBEL_ARGS(2, 3), .id = "known");
    cr_assert_eq(umbel_get(sum, 5, NULL), UMBEL_OK);
    umbel_future_free(sum);
    umbel_future *again = umbel_future_from_id(world.client, "known");
    int64_t value = 0;
    cr_assert_eq(umbel_get(again, 5, &value), UMBEL_OK);
    cr_assert_eq(value, 5);
    umbel_future_free(again);
}

Test(client, a_wait_ends_at_its_deadline_and_the_future_lives_on)
{
    umbel_future *future = umbel_submit(world.client, "silent", UMBEL_ARGS(), .confirm = true);
    double since = clock_mono();
    cr_assert_eq(umbel_get(future, 0.2, NULL), UMBEL_TIMEOUT);
    double waited = clock_mono() - since;
    cr_assert(waited >= 0.2 && waited < 0.3, "%f", waited);
    cr_assert(strstr(umbel_error(future), "within 0.2 s"), "%s", umbel_error(future));
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_ACCEPTED);
    cr_assert_eq(umbel_future_code(future), UMBEL_OK);
    umbel_future_free(future);
}

Test(client, waiting_for_many_follows_its_mode)
{
    umbel_future *futures[] = {umbel_submit(world.client, "silent", UMBEL_ARGS()),
                               umbel_submit(world.client, "add", UMBEL_ARGS(1, 1)),
                               umbel_submit(world.client, "fail", UMBEL_ARGS())};
    cr_assert_eq(umbel_wait(futures, 3, UMBEL_FIRST_COMPLETED, 5), UMBEL_OK);
    cr_assert_eq(umbel_wait(futures, 3, UMBEL_FIRST_EXCEPTION, 5), UMBEL_OK);
    cr_assert_eq(umbel_wait(futures, 2, UMBEL_FIRST_EXCEPTION, 0.1), UMBEL_TIMEOUT,
                 "none of these two failed");
    cr_assert_eq(umbel_wait(futures, 3, UMBEL_ALL_COMPLETED, 0.1), UMBEL_TIMEOUT);
    cr_assert_eq(umbel_wait(futures + 1, 2, UMBEL_ALL_COMPLETED, 5), UMBEL_OK);
    for (int i = 0; i < 3; i++)
        umbel_future_free(futures[i]);
}

static void note(umbel_future *future, void *arg)
{
    cr_assert(umbel_done(future));
    atomic_fetch_add((atomic_int *)arg, 1);
}

Test(client, callbacks_run_once_also_when_added_late)
{
    atomic_int calls = 0;
    umbel_future *sum = umbel_submit(world.client, "add", UMBEL_ARGS(2, 3));
    umbel_on_done(sum, note, &calls);
    umbel_on_done(sum, note, &calls);
    umbel_get(sum, 5, NULL);
    umbel_on_done(sum, note, &calls);
    double limit = clock_mono() + 5;
    while (atomic_load(&calls) < 3 && clock_mono() < limit)
        usleep(1000);
    cr_assert_eq(atomic_load(&calls), 3);
    umbel_future_free(sum);
}

static void submit_more(umbel_future *future, void *arg)
{
    umbel_client *client = world.client;
    *(umbel_future **)arg = umbel_submit(client, "add", UMBEL_ARGS(20, 30));
    cr_assert_eq(umbel_get(*(umbel_future **)arg, 5, NULL), UMBEL_TIMEOUT,
                 "the background thread does not wait");
    cr_assert_eq(umbel_close(client, 1), UMBEL_BAD_ARGUMENT, "nor for its own end");
    umbel_future_free(future);
}

Test(client, a_callback_may_submit_and_give_back)
{
    _Atomic(umbel_future *) next = NULL;
    umbel_future *sum = umbel_submit(world.client, "add", UMBEL_ARGS(2, 3));
    umbel_on_done(sum, submit_more, &next);
    double limit = clock_mono() + 5;
    while (!atomic_load(&next) && clock_mono() < limit)
        usleep(1000);
    cr_assert(atomic_load(&next));
    int64_t value = 0;
    cr_assert_eq(umbel_get(atomic_load(&next), 5, &value), UMBEL_OK);
    cr_assert_eq(value, 50);
    umbel_future_free(atomic_load(&next));
}

Test(client, a_child_after_fork_is_told_so)
{
    umbel_future *sum = umbel_submit(world.client, "silent", UMBEL_ARGS());
    pid_t child = fork();
    if (child == 0) {
        umbel_future *other = umbel_submit(world.client, "add", UMBEL_ARGS(1, 2));
        bool good = umbel_future_code(other) == UMBEL_FORKED && umbel_get(sum, 1, NULL) == UMBEL_FORKED &&
                    umbel_flush(world.client, 1) == UMBEL_FORKED &&
                    umbel_close(world.client, 1) == UMBEL_FORKED;
        umbel_future_free(sum);
        _exit(good ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    cr_assert_eq(status, 0);
    umbel_future_free(sum);
}

/* Fork copies locks as they are: one that another thread held stays locked in the child for ever. */
Test(client, a_child_never_waits_for_a_lock_of_its_parent)
{
    umbel_future *sum = umbel_submit(world.client, "add", UMBEL_ARGS(2, 3));
    int64_t value;
    cr_assert_eq(umbel_get(sum, 5, &value), UMBEL_OK);
    pthread_mutex_lock(&world.client->scratch_lock);
    pthread_mutex_lock(&sum->lock);
    pid_t child = fork();
    if (child == 0) {
        alarm(5);
        const char *text;
        bool good = umbel_get(sum, 1, &value) == UMBEL_FORKED && umbel_get(sum, 1, &text) == UMBEL_FORKED &&
                    umbel_result(sum) == NULL && umbel_error_type(sum) == NULL;
        _exit(good ? 0 : 1);
    }
    pthread_mutex_unlock(&sum->lock);
    pthread_mutex_unlock(&world.client->scratch_lock);
    int status = 1;
    waitpid(child, &status, 0);
    cr_assert_eq(status, 0);
    umbel_future_free(sum);
}

Test(client, progress_reaches_the_waiter)
{
    umbel_future *future = umbel_submit(world.client, "step", UMBEL_ARGS());
    double limit = clock_mono() + 5;
    while (umbel_future_state(future) != UMBEL_STATE_STARTED && clock_mono() < limit)
        usleep(1000);
    int64_t percent = 0;
    cr_assert_eq(umbel_value_int(umbel_result(future), &percent), UMBEL_OK);
    cr_assert_eq(percent, 50);
    umbel_future_free(future);
}

Test(client_alone, callbacks_by_hand_wait_behind_a_descriptor)
{
    begin();
    umbel_client_options options = {.broker = world.url, .manual_callbacks = true};
    umbel_client *client = umbel_connect_with(&options);
    atomic_int calls = 0;
    umbel_future *sum = umbel_submit(client, "add", UMBEL_ARGS(2, 3));
    umbel_on_done(sum, note, &calls);
    struct pollfd ready = {.fd = umbel_client_fd(client), .events = POLLIN};
    cr_assert_eq(poll(&ready, 1, 5000), 1);
    cr_assert_eq(atomic_load(&calls), 0);
    cr_assert_eq(umbel_client_dispatch(client), 1);
    cr_assert_eq(atomic_load(&calls), 1);
    cr_assert_eq(poll(&ready, 1, 0), 0);
    umbel_future_free(sum);
    umbel_close(client, 1);
    end();
}

Test(client_alone, what_is_given_back_is_not_called_any_more)
{
    begin();
    umbel_client_options options = {.broker = world.url, .manual_callbacks = true};
    umbel_client *client = umbel_connect_with(&options);
    atomic_int calls = 0;
    umbel_future *sum = umbel_submit(client, "add", UMBEL_ARGS(2, 3));
    umbel_on_done(sum, note, &calls);
    struct pollfd ready = {.fd = umbel_client_fd(client), .events = POLLIN};
    cr_assert_eq(poll(&ready, 1, 5000), 1);
    umbel_future_free(sum);
    cr_assert_eq(umbel_client_dispatch(client), 0);
    umbel_future *lost = umbel_submit(client, "add", UMBEL_ARGS(2, 3), .queue = "nobody's");
    umbel_on_done(lost, note, &calls);
    umbel_future_free(lost);
    umbel_close(client, 1);
    cr_assert_eq(atomic_load(&calls), 0);
    end();
}

Test(client_alone, what_is_held_after_closing_answers_closed)
{
    begin();
    umbel_client *client = umbel_connect(world.url, NULL);
    umbel_future *done = umbel_submit(client, "add", UMBEL_ARGS(2, 3));
    umbel_future *open = umbel_submit(client, "silent", UMBEL_ARGS());
    umbel_get(done, 5, NULL);
    cr_assert_eq(umbel_close(client, 5), UMBEL_OK);
    int64_t value = 0;
    cr_assert_eq(umbel_get(done, 1, &value), UMBEL_OK);
    cr_assert_eq(value, 5);
    cr_assert_eq(umbel_get(open, 1, NULL), UMBEL_CLOSED);
    cr_assert(strstr(umbel_error(open), "closed"), "%s", umbel_error(open));
    cr_assert_eq(umbel_forget(done), UMBEL_CLOSED);
    umbel_future_free(open);
    end();
}

Test(client_alone, a_url_that_cannot_be_used_is_every_calls_answer)
{
    umbel_client *client = umbel_connect("carrier-pigeon://home", NULL);
    umbel_future *future = umbel_submit(client, "add", UMBEL_ARGS());
    cr_assert_eq(umbel_future_code(future), UMBEL_BAD_URL);
    cr_assert_eq(umbel_client_wait(client, 1), UMBEL_BAD_URL);
    cr_assert_eq(umbel_flush(client, 1), UMBEL_BAD_URL);
    cr_assert(strstr(umbel_client_error(client), "carrier-pigeon"), "%s", umbel_client_error(client));
    cr_assert_eq(umbel_forget(future), UMBEL_BAD_URL);
    future = umbel_submit(client, "add", UMBEL_ARGS());
    cr_assert_eq(umbel_close(client, 1), UMBEL_BAD_URL);
    umbel_future_free(future);
}

Test(client_alone, what_is_wrong_with_a_url_is_said_once)
{
    umbel_client *client = umbel_connect("carrier-pigeon://home", NULL);
    umbel_future *one = umbel_submit(client, "one", UMBEL_ARGS());
    umbel_future *two = umbel_submit(client, "two", UMBEL_ARGS());
    cr_assert(strstr(umbel_error(two), "two"), "%s", umbel_error(two));
    cr_assert_null(strstr(umbel_error(two), "one"), "%s", umbel_error(two));
    umbel_future_free(one);
    umbel_future_free(two);
    umbel_close(client, 1);
}

Test(client_alone, a_file_that_cannot_be_made_is_every_calls_answer)
{
    static const char *const urls[][2] = {{"sqlite:/no/such/folder/x.db", NULL},
                                          {"memory://x", "sqlite:/no/such/folder/x.db"}};
    for (size_t i = 0; i < 2; i++) {
        umbel_client *client = umbel_connect(urls[i][0], urls[i][1]);
        cr_assert_eq(umbel_client_wait(client, 1), UMBEL_BAD_URL);
        cr_assert(strstr(umbel_client_error(client), "folder"), "%s", umbel_client_error(client));
        umbel_close(client, 1);
    }
}

Test(client_alone, a_queue_nobody_made_is_named)
{
    umbel_client *client = umbel_connect("memory://nobody", NULL);
    umbel_future *future = umbel_submit(client, "add", UMBEL_ARGS(), .queue = "math");
    cr_assert_eq(umbel_get(future, 5, NULL), UMBEL_UNROUTABLE);
    cr_assert(strstr(umbel_error(future), "queue 'math'"), "%s", umbel_error(future));
    umbel_future_free(future);
    future =
        umbel_submit(client, "add", UMBEL_ARGS(), .queue = "math", .create_queue = true, .confirm = true);
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_ACCEPTED);
    umbel_future_free(future);
    umbel_close(client, 1);
}

Test(client_alone, a_broker_that_is_away_ends_every_call_at_its_timeout)
{
    umbel_client_options options = {
        .broker = "amqp://me:secret@127.0.0.1:1//", .backend = "memory://x", .timeout = 0.3};
    umbel_client *client = umbel_connect_with(&options);
    double since = clock_mono();
    umbel_future *future = umbel_submit(client, "add", UMBEL_ARGS(), .confirm = true);
    double waited = clock_mono() - since;
    cr_assert(waited >= 0.29 && waited < 0.4, "%f", waited);
    cr_assert_eq(umbel_future_code(future), UMBEL_BROKER_AWAY);
    cr_assert(strstr(umbel_error(future), "127.0.0.1") && !strstr(umbel_error(future), "secret"), "%s",
              umbel_error(future));
    cr_assert_eq(umbel_client_wait(client, 0.1), UMBEL_TIMEOUT);
    umbel_future_free(future);
    since = clock_mono();
    umbel_close(client, 0.3);
    cr_assert_lt(clock_mono() - since, 0.4);
}

/* Stands in for the C library's: the name server of one domain never answers. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    __typeof__(getaddrinfo) *real = (__typeof__(getaddrinfo) *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (!node || !strstr(node, "silent.example"))
        return real(node, service, hints, out);
    sleep(3);
    return EAI_AGAIN;
}

Test(client_alone, closing_does_not_wait_for_a_silent_name_server)
{
    umbel_client *client = umbel_connect("amqp://silent.example", "memory://x");
    umbel_future *future = umbel_submit(client, "add", UMBEL_ARGS());
    usleep(50000);
    double since = clock_mono();
    umbel_close(client, 0.3);
    cr_assert_lt(clock_mono() - since, 0.4);
    cr_assert_eq(umbel_get(future, 1, NULL), UMBEL_CLOSED);
    umbel_future_free(future);
    sleep(4); /* what the thread leaves behind is freed when the look-up ends at last */
}

Test(client_alone, a_future_that_memory_was_too_short_for_is_no_crash)
{
    int64_t value;
    cr_assert_eq(umbel_get((umbel_future *)NULL, 1, &value), UMBEL_NO_MEMORY);
    cr_assert(umbel_done(NULL));
    cr_assert_eq(umbel_future_state(NULL), UMBEL_STATE_UNSENT);
    cr_assert_eq(umbel_future_code(NULL), UMBEL_NO_MEMORY);
    cr_assert_str_eq(umbel_future_id(NULL), "");
    cr_assert_str_eq(umbel_error(NULL), umbel_strerror(UMBEL_NO_MEMORY));
    cr_assert(!umbel_error_type(NULL) && !umbel_error_message(NULL) && !umbel_traceback(NULL));
    cr_assert_null(umbel_result(NULL));
    cr_assert_eq(umbel_on_done(NULL, note, NULL), UMBEL_NO_MEMORY);
    cr_assert_eq(umbel_forget(NULL), UMBEL_NO_MEMORY);
    umbel_future_free(NULL);
}

static void never_called(void *arg)
{
    (void)arg;
}

static void never_run(umbel_task *task)
{
    (void)task;
}

Test(client_alone, a_client_that_memory_was_too_short_for_is_no_crash)
{
    umbel_client *none = NULL;
    umbel_value *list = umbel_list_new();
    int64_t value;
    cr_assert_eq(umbel_add_int(list, NULL, 1), UMBEL_OK);
    cr_assert_null(umbel_submit(none, "add", UMBEL_ARGS(1, 2), .confirm = true));
    cr_assert_null(umbel_submit_call(none, never_run, UMBEL_ARGS(1, 2)));
    cr_assert_null(umbel_future_from_id(none, "an-id"));
    cr_assert_null(umbel_map(none, "add", list));
    cr_assert_null(umbel_map_reduce(none, "add", "add", list, 1));
    cr_assert_null(umbel_map_reduce(none, "add", "add", NULL, 1));
    cr_assert_eq(umbel_apply(none, "add", UMBEL_ARGS(1, 2), 1, &value), UMBEL_NO_MEMORY);
    umbel_chunk *chunk = umbel_chunk_new(none, "add", UMBEL_SERIALIZER_DEFAULT);
    cr_assert_null(chunk);
    cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(1, 2)), UMBEL_NO_MEMORY);
    cr_assert_eq(umbel_chunk_count(chunk), 0);
    cr_assert_null(umbel_submit_chunk(chunk));
    cr_assert_eq(umbel_client_wait(none, 1), UMBEL_NO_MEMORY);
    cr_assert_eq(umbel_flush(none, 1), UMBEL_NO_MEMORY);
    cr_assert_eq(umbel_drain(none, 1), UMBEL_NO_MEMORY);
    cr_assert_eq(umbel_shutdown(none, true, 1), UMBEL_NO_MEMORY);
    cr_assert_eq(umbel_terminate(none, 1), UMBEL_NO_MEMORY);
    cr_assert_eq(umbel_call_soon(none, never_called, NULL), 0);
    cr_assert_eq(umbel_timer_cancel(none, 1), UMBEL_NO_MEMORY);
    cr_assert_eq(umbel_timer_count(none), 0);
    cr_assert_eq(umbel_timers_wait(none, 1), UMBEL_NO_MEMORY);
    cr_assert_eq(umbel_client_fd(none), -1);
    cr_assert_eq(umbel_client_dispatch(none), 0);
    cr_assert_str_eq(umbel_client_error(none), umbel_strerror(UMBEL_NO_MEMORY));
    cr_assert_eq(umbel_close(none, 1), UMBEL_OK);
    umbel_value_free(list);
}

Test(client_alone, a_future_is_small)
{
    cr_assert_leq(sizeof(umbel_future), 352);
}
