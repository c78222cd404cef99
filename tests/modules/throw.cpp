// throw.cpp: tasks in C++, and what happens when an exception leaves one.
#include <stdexcept>
#include <string>
#include <umbel.h>

UMBEL_TASK(add, "cpp.add")
{
    int64_t x, y;
    if (umbel_args(task, &x, &y))
        return;
    umbel_return(task, x + y);
}

UMBEL_TASK(greet, "cpp.greet", umbel::task_options().soft_time_limit(5))
{
    const char *name = nullptr;
    if (umbel_args(task, umbel_named("name", &name)))
        return;
    umbel_return(task, std::string("hello ") + name);
}

UMBEL_TASK(standard, "cpp.throw")
{
    const char *what = nullptr;
    if (umbel_args(task, &what))
        return;
    throw std::out_of_range(what);
}

UMBEL_TASK(number, "cpp.throw_int")
{
    (void)task;
    throw 42;
}
