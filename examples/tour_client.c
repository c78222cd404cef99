/* tour_client.c: the calls of client.h and executor.h that the other examples leave out: chunks, callbacks in
 * a loop of one's own, futures by id, functions without a name, a generator, taking back.
 *
 *     ./tour_client */
#include <poll.h>
#include <stdio.h>
#include <umbel.h>

UMBEL_TASK(twice, "twice")
{
    int64_t n;
    if (umbel_args(task, &n) == 0)
        umbel_return(task, 2 * n);
}

static void wait_for_ever(umbel_task *task)
{
    umbel_sleep(task, 3600);
}

static void chunks(umbel_client *client)
{
    umbel_chunk *chunk = umbel_chunk_new(client, "twice", UMBEL_SERIALIZER_DEFAULT);
    for (int i = 0; i < 3; i++)
        umbel_chunk_add(chunk, UMBEL_ARGS(i));
    printf("%zu calls in a message:", umbel_chunk_count(chunk));
    umbel_future *all = umbel_submit_chunk(chunk);
    umbel_chunk_free(chunk);
    if (umbel_exception(all, 10) == UMBEL_OK)
        for (size_t i = 0; i < 3; i++) {
            int64_t value = 0;
            umbel_value_int(umbel_value_at(umbel_result(all), i), &value);
            printf(" %d", (int)value);
        }
    printf("\n");
    umbel_future_free(all);
}

static void print_done(umbel_future *future, void *arg)
{
    printf("%s: done %d, state %d\n", (const char *)arg, umbel_done(future), (int)umbel_future_state(future));
}

/* As a program with an event loop does it: the client's descriptor is readable when a callback waits. */
static void callbacks(umbel_client *client)
{
    umbel_future *future = umbel_submit(client, "twice", UMBEL_ARGS(4), .id = "four");
    umbel_on_done(future, print_done, "callback");
    struct pollfd ready = {.fd = umbel_client_fd(client), .events = POLLIN};
    while (poll(&ready, 1, 10000) > 0 && umbel_client_dispatch(client) == 0)
        ;
    umbel_future *same = umbel_future_from_id(client, umbel_future_id(future));
    int64_t value = 0;
    umbel_get(same, 10, &value);
    printf("%s is %d, traceback %s\n", umbel_future_id(same), (int)value,
           umbel_traceback(same) ? "kept" : "none");
    umbel_future_free(same);
    umbel_forget(future);
}

static bool count_to_three(void *arg, umbel_value *arguments)
{
    int *next = arg;
    umbel_add_int(arguments, NULL, ++*next);
    return *next <= 3;
}

static void generator(umbel_client *client)
{
    int next = 0;
    int64_t value;
    umbel_mapping *results = umbel_map_from(client, "twice", count_to_three, &next, .timeout = 10);
    while (umbel_map_next(results, &value) == UMBEL_OK)
        printf("%d ", (int)value);
    printf("from a generator\n");
    umbel_map_free(results);
}

static void taking_back(umbel_client *client)
{
    umbel_future *runs = umbel_submit_call(client, wait_for_ever, UMBEL_ARGS());
    umbel_future *waits = umbel_submit_call(client, wait_for_ever, UMBEL_ARGS());
    while (!umbel_running(runs))
        poll(NULL, 0, 1);
    printf("pending: %s\n", umbel_code_name(umbel_cancel_pending(waits)));
    printf("running: %s\n", umbel_code_name(umbel_cancel_pending(runs)));
    umbel_terminate(client, 10);
    printf("terminated: %d\n", umbel_cancelled(runs));
    umbel_future_free(runs);
    umbel_future_free(waits);
}

static void later(void *arg)
{
    (void)arg;
}

int main(void)
{
    umbel_client *client = umbel_connect_with(
        &(umbel_client_options){.broker = "memory://?pool=threads&concurrency=1", .manual_callbacks = true});
    umbel_call_later(client, 60, later, NULL);
    printf("%zu timed call\n", umbel_timer_count(client));
    chunks(client);
    callbacks(client);
    generator(client);
    taking_back(client);
    return umbel_close(client, 1);
}
