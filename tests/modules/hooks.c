/* hooks.c: something opened once in each child, that every task there finds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <umbel.h>

struct desk {
    int pid;
    int served;
};

static int open_desk(void **user, char why[200])
{
    const char *refusal = getenv("TEST_HOOK_REFUSES");
    if (refusal) {
        snprintf(why, 200, "the desk is closed: %s", refusal);
        return 1;
    }
    struct desk *desk = calloc(1, sizeof *desk);
    desk->pid = getpid();
    *user = desk;
    return 0;
}

static void close_desk(void *user)
{
    struct desk *desk = user;
    const char *path = getenv("TEST_HOOK_TRACE");
    FILE *file = path ? fopen(path, "ae") : NULL;
    if (file) {
        fprintf(file, "closed %d after %d\n", desk->pid, desk->served);
        fclose(file);
    }
    free(desk);
}

UMBEL_CHILD_HOOKS(open_desk, close_desk);

UMBEL_TASK(serve, "desk.serve")
{
    struct desk *desk = umbel_task_user(task);
    desk->served++;
    umbel_value *map = umbel_map_new();
    umbel_add_int(map, "opened_by", desk->pid);
    umbel_add_int(map, "pid", getpid());
    umbel_add_int(map, "served", desk->served);
    umbel_return(task, map);
    umbel_value_free(map);
}
