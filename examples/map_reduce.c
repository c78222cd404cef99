/* map_reduce.c: a task that spreads its work over other tasks and adds up what they found: how often a letter stands in
 * lines of text. Any depth is possible, with any number of slots: while a task waits its slot works for those it called.
 *
 *     umbel -A map_reduce.so -b sqlite:/tmp/u.db worker -c 1 &
 *     umbel -b sqlite:/tmp/u.db call text.letter '["e", ["one line", "the next", "three"]]' --wait */
#include <umbel.h>
#include <umbel/executor.h>

UMBEL_TASK(count, "text.count")
{
    const umbel_value *pair; /* a letter, a line */
    umbel_str letter, line;
    int64_t found = 0;
    if (umbel_args(task, &pair))
        return;
    if (umbel_value_str(umbel_value_at(pair, 0), &letter) || umbel_value_str(umbel_value_at(pair, 1), &line)) {
        umbel_fail(task, "TypeError", "text.count takes [letter, line]");
        return;
    }
    for (size_t i = 0; i < line.size; i++)
        found += line.data[i] == letter.data[0];
    umbel_return(task, found);
}

UMBEL_TASK(add, "text.add")
{
    int64_t x, y;
    if (umbel_args(task, &x, &y))
        return;
    umbel_return(task, x + y);
}

UMBEL_TASK(letter, "text.letter")
{
    const char *letter;
    const umbel_value *lines;
    int64_t found;
    if (umbel_args(task, &letter, &lines))
        return;
    umbel_value *pairs = umbel_list_new();
    for (size_t i = 0; i < umbel_value_count(lines); i++) {
        umbel_value *pair = umbel_add_list(pairs, NULL);
        umbel_add_str(pair, NULL, letter);
        umbel_add_value(pair, NULL, umbel_value_at(lines, i));
    }
    umbel_future *sum = umbel_map_reduce(umbel_task_client(task), "text.count", "text.add", pairs, 60);
    if (umbel_get(sum, 0, &found) == UMBEL_OK)
        umbel_return(task, found);
    else
        umbel_fail(task, "RuntimeError", "%s", umbel_error(sum));
    umbel_future_free(sum);
    umbel_value_free(pairs);
}
