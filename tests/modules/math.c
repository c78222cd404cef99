/* math.c: the tasks that most tests call. */
#include <umbel.h>

UMBEL_TASK(add, "math.add")
{
    int64_t x, y;
    if (umbel_args(task, &x, &y))
        return;
    umbel_return(task, x + y);
}

UMBEL_TASK(divide, "math.divide")
{
    double x, y;
    if (umbel_args(task, umbel_named("x", &x), umbel_named("y", &y)))
        return;
    if (y == 0) {
        umbel_fail(task, "ZeroDivisionError", "division by zero");
        return;
    }
    umbel_return(task, x / y);
}

UMBEL_TASK(scale, "math.scale")
{
    double value, factor = 2, offset = 0;
    if (umbel_args(task, umbel_named("value", &value), umbel_optional("factor", &factor),
                   umbel_optional("offset", &offset)))
        return;
    umbel_return(task, value * factor + offset);
}

UMBEL_TASK(total, "math.total")
{
    const umbel_value *numbers = umbel_task_args(task);
    int64_t total = 0;
    for (size_t i = 0; i < umbel_value_count(numbers); i++) {
        int64_t number;
        if (umbel_value_int(umbel_value_at(numbers, i), &number)) {
            umbel_fail(task, "TypeError", "argument %zu is not an integer", i + 1);
            return;
        }
        total += number;
    }
    umbel_return(task, total);
}

UMBEL_TASK(quiet, "math.quiet", .ignore_result = UMBEL_ON)
{
    umbel_return(task, 1);
}
