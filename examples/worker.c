/* worker.c: tasks inside a worker of one's own. The program takes the same command line as `umbel`:
 *
 *     cc -o myworker worker.c $(pkg-config --cflags --libs umbel)
 *     ./myworker -b sqlite:queue.db worker -c 4
 */
#include <stdlib.h>
#include <string.h>
#include <umbel.h>

/* What a child keeps from task to task: a database connection, a model; here a buffer. */
struct desk {
    char text[256];
    int served;
};

static int open_desk(void **user, char why[200])
{
    *user = calloc(1, sizeof(struct desk));
    if (*user)
        return 0;
    strcpy(why, "no memory for a desk");
    return 1;
}

UMBEL_CHILD_HOOKS(open_desk, free);

UMBEL_TASK(greet, "text.greet")
{
    struct desk *desk = umbel_task_user(task);
    const char *name;
    if (umbel_args(task, umbel_named("name", &name)))
        return;
    desk->served++;
    strcpy(desk->text, "hello ");
    strncat(desk->text, name, sizeof desk->text - strlen(desk->text) - 1);
    umbel_return(task, desk->text);
}

int main(int argc, char **argv)
{
    return umbel_main(argc, argv);
}
