/* again.c: a task of a name that math.c has too; both cannot be loaded into one worker. */
#include <umbel.h>

UMBEL_TASK(add, "math.add")
{
    umbel_return(task, 0);
}
