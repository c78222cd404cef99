// executor.cpp: every call of executor.h as a C++17 programmer writes it, over a pool of the program's own.
#include <iostream>
#include <stdexcept>
#include <string>
#include <umbel.h>
#include <vector>

UMBEL_TASK(square, "math.square")
{
    int64_t x;
    if (umbel_args(task, &x))
        return;
    if (x < 0)
        throw std::domain_error("negative");
    umbel_return(task, x * x);
}

UMBEL_TASK(add, "math.add")
{
    int64_t x, y;
    if (umbel_args(task, &x, &y))
        return;
    umbel_return(task, x + y);
}

UMBEL_TASK(greet, "text.greet")
{
    std::string name;
    if (umbel_args(task, &name))
        return;
    umbel_return(task, "hello " + name);
}

static void twice(umbel_task *task)
{
    int64_t x;
    if (umbel_args(task, &x))
        return;
    umbel_return(task, 2 * x);
}

static void nap(umbel_task *task)
{
    if (umbel_sleep(task, 20) == UMBEL_OK)
        umbel_return(task, 1);
}

static void expect(bool condition, const char *what, int line)
{
    if (condition)
        return;
    std::cerr << "executor.cpp:" << line << ": not true: " << what << "\n";
    std::exit(1);
}
#define EXPECT(condition) expect((condition), #condition, __LINE__)

// One call after the other; umbel_apply.
static void calls(umbel_client *client)
{
    int64_t number = 0;
    std::string text;
    const char *borrowed;
    EXPECT(umbel_apply(client, "math.square", UMBEL_ARGS(7), 10, &number) == UMBEL_OK && number == 49);
    EXPECT(umbel_apply(client, "math.add", UMBEL_ARGS(2, 3), 10, &number, umbel::options().expires(60)) == UMBEL_OK &&
           number == 5);
    EXPECT(umbel_apply(client, "text.greet", UMBEL_ARGS(std::string("you")), 10, &text) == UMBEL_OK && text == "hello you");
    EXPECT(umbel_apply(client, "text.greet", UMBEL_ARGS("you"), 10, &borrowed) == UMBEL_BAD_ARGUMENT);
    EXPECT(umbel_apply(client, "math.square", UMBEL_ARGS(-1), 10, nullptr) == UMBEL_FAILED);
    EXPECT(std::string(umbel_client_error(client)).find("negative") != std::string::npos);
    EXPECT(umbel_apply(client, "math.square", UMBEL_ARGS(-1), 10, &text) == UMBEL_FAILED);

    umbel_future *future = umbel_submit_call(client, twice, UMBEL_ARGS(21));
    EXPECT(umbel_get(future, 10, &number) == UMBEL_OK && number == 42 && !umbel_cancelled(future));
    umbel_future_free(future);
    future = umbel_submit(client, "math.square", UMBEL_ARGS(-1));
    EXPECT(umbel_exception(future, 10) == UMBEL_FAILED);
    EXPECT(std::string(umbel_error_type(future)).find("domain_error") != std::string::npos);
    umbel_future_free(future);
}

// Several at once: gather, as completed, cancel.
static void futures(umbel_client *client)
{
    std::vector<umbel_future *> all;
    int64_t sum = 0, number;
    for (int i = 0; i < 5; i++)
        all.push_back(umbel_submit_call(client, twice, UMBEL_ARGS(i), umbel::options().time_limit(60)));
    EXPECT(umbel_gather(all.data(), all.size(), false, 10) == UMBEL_OK);
    umbel_completed *completed = umbel_as_completed(all.data(), all.size(), 10);
    umbel_future *next;
    while (umbel_completed_next(completed, &next) == UMBEL_OK)
        if (umbel_get(next, 0, &number) == UMBEL_OK)
            sum += number;
    EXPECT(sum == 20);
    umbel_completed_free(completed);
    for (umbel_future *future : all)
        umbel_future_free(future);
    umbel_future *long_one = umbel_submit_call(client, nap, UMBEL_ARGS());
    EXPECT(umbel_cancel_pending(long_one) != UMBEL_ALREADY_DONE && !umbel_cancelled(nullptr));
    umbel_cancel(long_one);
    EXPECT(umbel_exception(long_one, 10) == UMBEL_CANCELLED && umbel_cancelled(long_one) && !umbel_running(long_one));
    umbel_future_free(long_one);
}

static int64_t sum_of(umbel_mapping *mapping, std::size_t *failed = nullptr)
{
    int64_t sum = 0, value;
    for (;;) {
        int code = umbel_map_next(mapping, &value);
        if (code == UMBEL_EXHAUSTED || code == UMBEL_TIMEOUT)
            break;
        if (code == UMBEL_OK)
            sum += value;
        else if (failed)
            *failed = umbel_map_index(mapping);
    }
    umbel_map_free(mapping);
    return sum;
}

static bool up_to(void *arg, umbel_value *arguments)
{
    int *left = static_cast<int *>(arg);
    umbel_add_int(arguments, nullptr, *left);
    return (*left)-- > 0;
}

static void maps(umbel_client *client)
{
    umbel_value *list = umbel_list_new(), *pairs = umbel_list_new(), *names = umbel_list_new();
    for (int i = 1; i <= 10; i++) {
        umbel_add_int(list, nullptr, i);
        umbel_value *pair = umbel_add_list(pairs, nullptr);
        umbel_add_int(pair, nullptr, i);
        umbel_add_int(pair, nullptr, 100);
    }
    umbel_add_str(names, nullptr, "one");
    umbel_add_str(names, nullptr, "two");
    umbel_submit_options with = {};
    with.expires = 60;
    EXPECT(sum_of(umbel_map(client, "math.square", list)) == 385);
    EXPECT(sum_of(umbel_map(client, "math.square", list,
                            umbel::map_options().chunk(3).ahead(4).timeout(20).unordered().submit(&with))) == 385);
    EXPECT(sum_of(umbel_map(client, nullptr, list, umbel::map_options().function(twice))) == 110);
    EXPECT(sum_of(umbel_starmap(client, "math.add", pairs)) == 1055);
    int left = 4;
    EXPECT(sum_of(umbel_map_from(client, "math.square", up_to, &left)) == 30);

    std::size_t failed = 0;
    umbel_add_int(list, nullptr, -1);
    EXPECT(sum_of(umbel_map(client, "math.square", list), &failed) == 385 && failed == 10);

    std::string text, all;
    umbel_mapping *greetings = umbel_map(client, "text.greet", names);
    while (umbel_map_next(greetings, &text) == UMBEL_OK)
        all += text + ".";
    EXPECT(all == "hello one.hello two." && *umbel_map_error(greetings) == '\0');
    umbel_map_free(greetings);
    umbel_value_free(list);
    umbel_value_free(pairs);
    umbel_value_free(names);
}

static void reduce(umbel_client *client)
{
    umbel_value *list = umbel_list_new();
    int64_t sum = 0;
    for (int i = 1; i <= 5; i++)
        umbel_add_int(list, nullptr, i);
    umbel_future *total = umbel_map_reduce(client, "math.square", "math.add", list, 20, umbel::options().expires(60));
    EXPECT(umbel_get(total, 10, &sum) == UMBEL_OK && sum == 55);
    umbel_future_free(total);
    umbel_value_free(list);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return umbel_main(argc, argv);
    umbel_client *client = umbel_connect("memory://?pool=threads&concurrency=2", nullptr);
    EXPECT(client != nullptr);
    calls(client);
    futures(client);
    maps(client);
    reduce(client);
    EXPECT(umbel_drain(client, 10) == UMBEL_OK);
    EXPECT(umbel_stop_submitting(client) == UMBEL_OK);
    EXPECT(umbel_apply(client, "math.square", UMBEL_ARGS(1), 5, nullptr) == UMBEL_CLOSED);
    EXPECT(umbel_shutdown(client, true, 10) == UMBEL_OK && umbel_terminate(client, 10) == UMBEL_OK);
    return umbel_close(client, 5) != UMBEL_OK;
}
