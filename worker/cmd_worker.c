/* cmd_worker.c: `umbel worker`. */
#include "worker/cmd_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include "worker/settings.h"
#include "worker/worker.h"

static int run(const struct command_globals *globals, int argc, char **argv)
{
    struct settings settings;
    struct buffer why;
    int code;
    buffer_init(&why, 4096);
    if (settings_read(&settings, argc, argv, getenv, &why) != UMBEL_OK) {
        fprintf(stderr, "umbel worker: %.*s\n", (int)buffer_length(&why), (const char *)buffer_head(&why));
        code = EXIT_USAGE;
    } else if (settings.help) {
        fputs(settings_usage, stdout);
        code = EXIT_DONE;
    } else {
        code = worker_run(globals, &settings);
    }
    buffer_fini(&why);
    return code;
}

const struct command cmd_worker = {
    .name = "worker", .summary = "runs the tasks of the modules", .usage = settings_usage, .run = run};
