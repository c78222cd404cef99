/* report_tasks.c: the demo's task: one file in, its report out. */
#include <string.h>
#include <umbel.h>
#include "report.h"

UMBEL_TASK(report, "files.report", .time_limit = 120)
{
    const char *path;
    if (umbel_args(task, &path))
        return;
    struct report report;
    int code = report_file(&report, path);
    if (code) {
        umbel_fail(task, "OSError", "%s: %s", path, strerror(code));
        return;
    }
    umbel_value *map = umbel_map_new();
    umbel_add_int(map, "bytes", (int64_t)report.bytes);
    umbel_add_int(map, "lines", (int64_t)report.lines);
    umbel_add_int(map, "words", (int64_t)report.words);
    umbel_add_int(map, "distinct", (int64_t)report.distinct);
    umbel_add_str(map, "sha256", report.sha256);
    umbel_return(task, map);
    umbel_value_free(map);
}
