/* process_pool.c: the vocabulary of multiprocessing.Pool: apply, map, starmap, imap_unordered, close, join.
 *
 *     ./process_pool                                 processes of this program
 *     ./process_pool sqlite:/tmp/u.db                workers on this machine: the same program is one
 *     ./process_pool -b sqlite:/tmp/u.db worker -c 4
 *     ./process_pool amqp://localhost// redis://localhost/0    workers on a cluster */
#include <stdio.h>
#include <umbel.h>

UMBEL_TASK(power, "math.power")
{
    int64_t base, exponent = 2, product = 1;
    if (umbel_args(task, &base, umbel_optional("exponent", &exponent)))
        return;
    while (exponent-- > 0)
        product *= base;
    umbel_return(task, product);
}

static void print_all(const char *title, umbel_mapping *results)
{
    long value;
    printf("%s:", title);
    while (umbel_map_next(results, &value) == UMBEL_OK)
        printf(" %zu->%ld", umbel_map_index(results), value);
    printf("%s\n", umbel_map_error(results)); /* "" */
    umbel_map_free(results);
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == '-')
        return umbel_main(argc, argv);
    umbel_client *pool = umbel_connect(argc > 1 ? argv[1] : "memory://?pool=processes&concurrency=4",
                                       argc > 2 ? argv[2] : NULL);

    long value = 0;
    if (umbel_apply(pool, "math.power", UMBEL_ARGS(3, 4), 10, &value))
        fprintf(stderr, "%s\n", umbel_client_error(pool));
    printf("apply: %ld\n", value);

    umbel_value *numbers = umbel_list_new(), *pairs = umbel_list_new();
    for (int i = 0; i < 8; i++) {
        umbel_add_int(numbers, NULL, i);
        umbel_value *pair = umbel_add_list(pairs, NULL);
        umbel_add_int(pair, NULL, 2);
        umbel_add_int(pair, NULL, i);
    }
    print_all("map", umbel_map(pool, "math.power", numbers, .timeout = 10));
    print_all("map, four to a message", umbel_map(pool, "math.power", numbers, .chunk = 4, .timeout = 10));
    print_all("starmap", umbel_starmap(pool, "math.power", pairs, .timeout = 10));
    print_all("imap_unordered", umbel_map(pool, "math.power", numbers, .unordered = true, .timeout = 10));
    umbel_value_free(numbers);
    umbel_value_free(pairs);

    umbel_stop_submitting(pool); /* close */
    umbel_drain(pool, 10);       /* join */
    return umbel_close(pool, 1);
}
