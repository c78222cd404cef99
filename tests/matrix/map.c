/* map.c: umbel_map and its family.
 *
 * The behaviours of CPython's test_concurrent_futures that are held here: ExecutorTest.test_map,
 * test_map_exception, test_map_timeout; ThreadPoolExecutorTest.test_map_submits_without_iteration;
 * ProcessPoolExecutorTest.test_map_chunksize. */
#include "matrix.h"

#include <string.h>
#include <unistd.h>

static umbel_value *numbers(int from, int count)
{
    umbel_value *list = umbel_list_new();
    for (int i = 0; i < count; i++)
        umbel_add_int(list, NULL, from + i);
    return list;
}

static void expect_squares(umbel_mapping *map, int count)
{
    for (int i = 0; i < count; i++) {
        int64_t value = -1;
        CHECK_CODE(UMBEL_OK, umbel_map_next(map, &value));
        CHECK(value == (int64_t)i * i && umbel_map_index(map) == (size_t)i, "%d: %lld", i, (long long)value);
    }
    int64_t nothing;
    CHECK_CODE(UMBEL_EXHAUSTED, umbel_map_next(map, &nothing));
    CHECK_CODE(UMBEL_EXHAUSTED, umbel_map_next(map, &nothing));
    umbel_map_free(map);
}

#define SUBMIT_HERE(m)                                                                                       \
    &(umbel_submit_options)                                                                                  \
    {                                                                                                        \
        .queue = (m)->queue                                                                                  \
    }

static void results_come_in_order(struct matrix *m)
{
    umbel_value *list = numbers(0, 50);
    umbel_mapping *map = umbel_map(m->client, "m.square", list, .submit = SUBMIT_HERE(m));
    umbel_value_free(list); /* it was copied */
    expect_squares(map, 50);
}

static void an_empty_list_is_exhausted(struct matrix *m)
{
    umbel_value *list = numbers(0, 0);
    expect_squares(umbel_map(m->client, "m.square", list, .submit = SUBMIT_HERE(m)), 0);
    expect_squares(umbel_map(m->client, "m.square", list, .chunk = 8, .submit = SUBMIT_HERE(m)), 0);
    umbel_value_free(list);
}

static void chunks_change_nothing(struct matrix *m)
{
    static const size_t chunks[] = {1, 2, 7, 50, 1000};
    umbel_value *list = numbers(0, 50);
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        expect_squares(umbel_map(m->client, "m.square", list, .chunk = chunks[i], .submit = SUBMIT_HERE(m)),
                       50);
    expect_squares(umbel_map(m->client, "m.square", list, .chunk = 7, .ahead = 3, .submit = SUBMIT_HERE(m)),
                   50);
    umbel_value_free(list);
}

static void starmap_spreads_its_elements(struct matrix *m)
{
    umbel_value *list = umbel_list_new();
    for (int i = 0; i < 20; i++) {
        umbel_value *pair = umbel_add_list(list, NULL);
        umbel_add_int(pair, NULL, i);
        umbel_add_int(pair, NULL, 100);
    }
    for (size_t chunk = 1; chunk < 8; chunk += 6) {
        umbel_mapping *map =
            umbel_starmap(m->client, "m.add", list, .chunk = chunk, .submit = SUBMIT_HERE(m));
        int value;
        for (int i = 0; i < 20; i++) {
            CHECK_CODE(UMBEL_OK, umbel_map_next(map, &value));
            CHECK(value == 100 + i);
        }
        CHECK_CODE(UMBEL_EXHAUSTED, umbel_map_next(map, &value));
        umbel_map_free(map);
    }
    umbel_value_free(list);
}

static void what_is_no_list_ends_a_starmap(struct matrix *m)
{
    umbel_value *list = umbel_list_new();
    umbel_value *pair = umbel_add_list(list, NULL);
    umbel_add_int(pair, NULL, 1);
    umbel_add_int(pair, NULL, 2);
    umbel_add_int(list, NULL, 3);
    int value;
    umbel_mapping *map = umbel_starmap(m->client, "m.add", list, .submit = SUBMIT_HERE(m));
    CHECK_CODE(UMBEL_OK, umbel_map_next(map, &value));
    CHECK_CODE(UMBEL_BAD_TYPE, umbel_map_next(map, &value));
    CHECK(strstr(umbel_map_error(map), "starmap"));
    CHECK_CODE(UMBEL_EXHAUSTED, umbel_map_next(map, &value));
    umbel_map_free(map);
    umbel_value_free(list);
}

static void without_order_every_result_comes_once(struct matrix *m)
{
    umbel_value *list = numbers(0, 60);
    for (size_t chunk = 1; chunk < 8; chunk += 6) {
        bool seen[60] = {false};
        umbel_mapping *map = umbel_map(m->client, "m.square", list, .unordered = true, .chunk = chunk,
                                       .ahead = 20, .submit = SUBMIT_HERE(m));
        for (int i = 0; i < 60; i++) {
            int64_t value;
            CHECK_CODE(UMBEL_OK, umbel_map_next(map, &value));
            size_t index = umbel_map_index(map);
            CHECK(index < 60 && !seen[index] && value == (int64_t)(index * index));
            seen[index] = true;
        }
        CHECK_CODE(UMBEL_EXHAUSTED, umbel_map_next(map, (void *)NULL));
        umbel_map_free(map);
    }
    umbel_value_free(list);
}

static void without_order_a_slow_one_holds_up_nobody(struct matrix *m)
{
    umbel_value *list = umbel_list_new();
    const char *calls[3][2] = {{"slow.begun", "slow"}, {"b", "open"}, {"c", "open"}};
    gate_open(m, "open");
    for (int i = 0; i < 3; i++) {
        umbel_value *pair = umbel_add_list(list, NULL);
        umbel_add_str(pair, NULL, gate_path(m, calls[i][0]));
        umbel_add_str(pair, NULL, gate_path(m, calls[i][1]));
    }
    umbel_mapping *map =
        umbel_starmap(m->client, "m.gate", list, .unordered = true, .submit = SUBMIT_HERE(m));
    for (int i = 0; i < 2; i++) {
        CHECK_CODE(UMBEL_OK, umbel_map_next(map, (void *)NULL));
        CHECK(umbel_map_index(map) != 0);
    }
    gate_open(m, "slow");
    CHECK_CODE(UMBEL_OK, umbel_map_next(map, (void *)NULL));
    CHECK(umbel_map_index(map) == 0);
    umbel_map_free(map);
    umbel_value_free(list);
}

static void a_call_that_fails_does_not_end_the_rest(struct matrix *m)
{
    umbel_value *list = numbers(-1, 3);
    umbel_mapping *map = umbel_map(m->client, "m.square", list, .submit = SUBMIT_HERE(m));
    int64_t value = 5;
    CHECK_CODE(UMBEL_FAILED, umbel_map_next(map, &value));
    CHECK(strstr(umbel_map_error(map), "-1 is negative"), "%s", umbel_map_error(map));
    CHECK_CODE(UMBEL_OK, umbel_map_next(map, &value));
    CHECK(value == 0);
    CHECK_CODE(UMBEL_OK, umbel_map_next(map, &value));
    CHECK_CODE(UMBEL_EXHAUSTED, umbel_map_next(map, &value));
    umbel_map_free(map);
    umbel_value_free(list);
}

static void a_call_that_fails_fails_its_chunk(struct matrix *m)
{
    umbel_value *list = numbers(-1, 4);
    umbel_mapping *map = umbel_map(m->client, "m.square", list, .chunk = 2, .submit = SUBMIT_HERE(m));
    int64_t value;
    CHECK_CODE(UMBEL_FAILED, umbel_map_next(map, &value));
    CHECK_CODE(UMBEL_FAILED, umbel_map_next(map, &value));
    CHECK_CODE(UMBEL_OK, umbel_map_next(map, &value));
    CHECK(value == 1 && umbel_map_index(map) == 2);
    umbel_map_free(map);
    umbel_value_free(list);
}

struct endless {
    int given, most;
};

static bool next_number(void *arg, umbel_value *arguments)
{
    struct endless *endless = arg;
    if (endless->given == endless->most)
        return false;
    umbel_add_int(arguments, NULL, endless->given++);
    return true;
}

static void a_generator_is_consumed_as_results_are_read(struct matrix *m)
{
    struct endless endless = {0, 1 << 30};
    umbel_mapping *map =
        umbel_map_from(m->client, "m.square", next_number, &endless, .ahead = 10, .submit = SUBMIT_HERE(m));
    CHECK(endless.given == 10, "%d were submitted without iteration", endless.given);
    for (int i = 0; i < 100; i++) {
        int64_t value;
        CHECK_CODE(UMBEL_OK, umbel_map_next(map, &value));
        CHECK(value == (int64_t)i * i);
        CHECK(endless.given <= i + 12, "%d were submitted after %d were read", endless.given, i + 1);
    }
    umbel_map_free(map);
    struct endless few = {0, 25};
    expect_squares(umbel_map_from(m->client, "m.square", next_number, &few, .ahead = 4, .chunk = 3,
                                  .submit = SUBMIT_HERE(m)),
                   25);
}

static void a_mapping_ends_at_its_timeout(struct matrix *m)
{
    umbel_value *list = umbel_list_new();
    umbel_value *pair = umbel_add_list(list, NULL);
    umbel_add_str(pair, NULL, gate_path(m, "a.begun"));
    umbel_add_str(pair, NULL, gate_path(m, "a"));
    for (int unordered = 0; unordered < 2; unordered++) {
        umbel_mapping *map = umbel_starmap(m->client, "m.gate", list, .timeout = 0.05, .unordered = unordered,
                                           .submit = SUBMIT_HERE(m));
        CHECK_CODE(UMBEL_TIMEOUT, umbel_map_next(map, (void *)NULL));
        CHECK_CODE(UMBEL_TIMEOUT, umbel_map_next(map, (void *)NULL));
        umbel_map_free(map);
    }
    gate_open(m, "a");
    umbel_value_free(list);
}

static void what_was_not_read_is_cancelled(struct matrix *m)
{
    umbel_future *blockers[BLOCKERS];
    block_all(m, blockers);
    umbel_value *list = umbel_list_new();
    for (int i = 0; i < 20; i++)
        umbel_add_str(list, NULL, gate_path(m, "ran"));
    umbel_map_free(umbel_map(m->client, "m.mark", list, .submit = SUBMIT_HERE(m)));
    unblock_nothing(m, blockers);
    umbel_value_free(list);
}

static void square_it(umbel_task *task)
{
    int64_t x;
    if (umbel_args(task, &x))
        return;
    umbel_return(task, x * x);
}

static void a_function_can_be_mapped(struct matrix *m)
{
    umbel_value *list = numbers(0, 30);
    expect_squares(umbel_map(m->client, NULL, list, .function = square_it), 30);
    expect_squares(umbel_map(m->client, NULL, list, .function = square_it, .chunk = 4), 30);
    umbel_value_free(list);
}

static void a_mapping_of_a_closed_client_says_so(struct matrix *m)
{
    umbel_value *list = numbers(0, 2);
    CHECK_CODE(UMBEL_OK, umbel_stop_submitting(m->client));
    umbel_mapping *map = umbel_map(m->client, "m.square", list, .submit = SUBMIT_HERE(m));
    CHECK_CODE(UMBEL_CLOSED, umbel_map_next(map, (void *)NULL));
    CHECK_CODE(UMBEL_CLOSED, umbel_map_next(map, (void *)NULL));
    CHECK_CODE(UMBEL_EXHAUSTED, umbel_map_next(map, (void *)NULL));
    umbel_map_free(map);
    umbel_value_free(list);
}

const struct matrix_case map_cases[] = {
    {"results_come_in_order", results_come_in_order, 0},
    {"an_empty_list_is_exhausted", an_empty_list_is_exhausted, 0},
    {"chunks_change_nothing", chunks_change_nothing, 0},
    {"starmap_spreads_its_elements", starmap_spreads_its_elements, 0},
    {"what_is_no_list_ends_a_starmap", what_is_no_list_ends_a_starmap, 0},
    {"without_order_every_result_comes_once", without_order_every_result_comes_once, 0},
    {"without_order_a_slow_one_holds_up_nobody", without_order_a_slow_one_holds_up_nobody, NEEDS_CONCURRENCY},
    {"a_call_that_fails_does_not_end_the_rest", a_call_that_fails_does_not_end_the_rest, 0},
    {"a_call_that_fails_fails_its_chunk", a_call_that_fails_fails_its_chunk, 0},
    {"a_generator_is_consumed_as_results_are_read", a_generator_is_consumed_as_results_are_read, 0},
    {"a_mapping_ends_at_its_timeout", a_mapping_ends_at_its_timeout, 0},
    {"what_was_not_read_is_cancelled", what_was_not_read_is_cancelled, 0},
    {"a_function_can_be_mapped", a_function_can_be_mapped, NEEDS_POOL},
    {"a_mapping_of_a_closed_client_says_so", a_mapping_of_a_closed_client_says_so, 0},
    {0},
};
