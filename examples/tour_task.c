/* tour_task.c: what a task can know and say of itself: every call of task.h that the other examples leave
 * out.
 *
 *     ./tour_task                                    a thread of this program
 *     ./tour_task sqlite:/tmp/u.db                   workers on this machine: the same program is one
 *     ./tour_task -b sqlite:/tmp/u.db worker */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <umbel.h>

/* Any number of arguments, by place and by name. */
UMBEL_TASK(count, "tour.count", .max_retries = 1)
{
    size_t given = umbel_value_count(umbel_task_args(task)) + umbel_value_count(umbel_task_kwargs(task));
    if (umbel_task_retries(task) == 0 && umbel_retry(task, 0.1, "once more") == UMBEL_OK)
        return;
    umbel_log_at(task, UMBEL_DEBUG, "%zu arguments, from %s, by %s", given, umbel_task_queue(task),
                 umbel_task_worker(task));
    umbel_return(task, given);
}

UMBEL_TASK(about, "tour.about", .soft_time_limit = 60)
{
    umbel_value *map = umbel_map_new();
    umbel_add_str(map, "name", umbel_task_name(task));
    umbel_add_str(map, "id", umbel_task_id(task));
    umbel_add_str(map, "root", umbel_task_root_id(task));
    umbel_add_bool(map, "has a parent", umbel_task_parent_id(task) != NULL);
    umbel_add_int(map, "deaths", umbel_task_deaths(task));
    umbel_add_bool(map, "redelivered", umbel_task_redelivered(task));
    umbel_add_bool(map, "limited", isfinite(umbel_task_time_left(task)));
    umbel_add_bool(map, "interrupted", umbel_interrupted(task));
    umbel_add_value(map, "tenant", umbel_task_header(task, "tenant"));
    umbel_return(task, map);
    umbel_value_free(map);
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == '-')
        return umbel_main(argc, argv);
    umbel_client *client =
        umbel_connect(argc > 1 ? argv[1] : "memory://?pool=threads", argc > 2 ? argv[2] : NULL);
    umbel_value *headers = umbel_map_new();
    umbel_add_str(headers, "tenant", "acme");
    int given = 0;
    int code = umbel_apply(client, "tour.count", UMBEL_ARGS(1, "two", umbel_kwarg("three", 3)), 20, &given);
    printf("%d arguments\n%s", given, code ? umbel_client_error(client) : "");
    umbel_future *about =
        umbel_submit(client, "tour.about", UMBEL_ARGS(), .id = "tour-1", .headers = headers);
    const umbel_value *map;
    char *json = umbel_get(about, 20, &map) ? NULL : umbel_value_json(map);
    printf("%s\n", json ? json : umbel_error(about));
    free(json);
    umbel_future_free(about);
    umbel_value_free(headers);
    return umbel_close(client, 1);
}
