/* add.c: a module of tasks. Build it as a shared object and give it to a worker:
 *
 *     cc -shared -fPIC -o tasks.so add.c
 *     umbel -A ./tasks.so -b sqlite:queue.db worker
 */
#include <umbel.h>

UMBEL_TASK(add, "math.add")
{
    int64_t x, y;
    if (umbel_args(task, &x, &y))
        return;
    umbel_return(task, x + y);
}

/* Named and optional arguments, a limit, and a failure of one's own. */
UMBEL_TASK(divide, "math.divide", .time_limit = 5)
{
    double x, y, scale = 1;
    if (umbel_args(task, umbel_named("x", &x), umbel_named("y", &y), umbel_optional("scale", &scale)))
        return;
    if (y == 0) {
        umbel_fail(task, "ZeroDivisionError", "%g cannot be divided by zero", x);
        return;
    }
    umbel_log(task, "dividing %g by %g", x, y);
    umbel_return(task, x / y * scale);
}
