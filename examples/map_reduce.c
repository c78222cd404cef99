/* map_reduce.c: how often a letter stands in lines of text, by tasks that a task calls.
 *
 *     ./map_reduce                                   processes of this program
 *     ./map_reduce sqlite:/tmp/u.db                  workers on this machine: the same program is one
 *     ./map_reduce -b sqlite:/tmp/u.db worker -c 1   one slot is enough: while a task waits, it works for
 * those it called
 *     ./map_reduce amqp://localhost// redis://localhost/0    workers on a cluster */
#include <stdio.h>
#include <umbel.h>

UMBEL_TASK(count, "text.count")
{
    umbel_str line;
    int found = 0;
    if (umbel_args(task, &line))
        return;
    for (size_t i = 0; i < line.size; i++)
        found += line.data[i] == 'e';
    umbel_return(task, found);
}

UMBEL_TASK(add, "text.add")
{
    int x, y;
    if (umbel_args(task, &x, &y))
        return;
    umbel_return(task, x + y);
}

UMBEL_TASK(total, "text.total")
{
    const umbel_value *lines;
    int found;
    if (umbel_args(task, &lines))
        return;
    umbel_future *sum = umbel_map_reduce(umbel_task_client(task), "text.count", "text.add", lines, 30);
    if (umbel_get(sum, 0, &found) == UMBEL_OK)
        umbel_return(task, found);
    else
        umbel_fail(task, "RuntimeError", "%s", umbel_error(sum));
    umbel_future_free(sum);
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == '-')
        return umbel_main(argc, argv);
    umbel_client *client =
        umbel_connect(argc > 1 ? argv[1] : "memory://?pool=processes", argc > 2 ? argv[2] : NULL);

    umbel_value *lines = umbel_list_new();
    for (int i = 0; i < 5; i++)
        umbel_add_str(lines, NULL, (const char *[]){"one line", "the next", "three", "", "tree"}[i]);
    int found = 0, code = umbel_apply(client, "text.total", UMBEL_ARGS(lines), 30, &found);
    printf("%d\n%s", found, code ? umbel_client_error(client) : "");
    umbel_value_free(lines);
    return umbel_close(client, 1);
}
