#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "common/str.h"
#include "worker/log_sink.h"

static const char *line(struct log_sink *sink, const struct log_entry *entry, char *text, size_t size)
{
    setenv("TZ", "UTC", 1);
    tzset();
    buffer_clear(&sink->out);
    log_sink_format(sink, entry, 1795252618.4055);
    snprintf(text, size, "%.*s", (int)buffer_length(&sink->out), (const char *)buffer_head(&sink->out));
    buffer_clear(&sink->out);
    return text;
}

Test(log_sink, a_text_line_has_time_level_task_and_id)
{
    struct log_sink sink;
    char text[512];
    cr_assert_eq(log_sink_open(&sink, "/dev/null", UMBEL_INFO, false, false), UMBEL_OK);
    struct log_entry entry = {UMBEL_INFO,  "task", STR("math.add"),
                              STR("id-1"), 0.5,    STR("succeeded in 0.5s: 5")};
    cr_assert_str_eq(line(&sink, &entry, text, sizeof text),
                     "2026-11-21 09:16:58,405 INFO Task math.add[id-1] succeeded in 0.5s: 5\n");
    struct log_entry other = {UMBEL_WARNING, "redis", STR_NONE, STR_NONE, -1, STR("away")};
    cr_assert_str_eq(line(&sink, &other, text, sizeof text), "2026-11-21 09:16:58,405 WARNING redis: away\n");
    log_sink_close(&sink);
}

Test(log_sink, a_json_line_is_one_object)
{
    struct log_sink sink;
    char text[512];
    cr_assert_eq(log_sink_open(&sink, "/dev/null", UMBEL_INFO, true, false), UMBEL_OK);
    struct log_entry entry = {UMBEL_INFO,  "task", STR("math.add"),
                              STR("id-1"), 0.5,    STR("say \"hi\"\n\\ \x01 grüß")};
    cr_assert_str_eq(
        line(&sink, &entry, text, sizeof text),
        "{\"time\":\"2026-11-21T09:16:58.405Z\",\"level\":\"info\",\"area\":\"task\",\"task\":\"math.add\","
        "\"id\":\"id-1\",\"runtime\":0.500000,\"message\":\"say \\\"hi\\\"\\n\\\\ \\u0001 grüß\"}\n");
    struct log_entry broken = {UMBEL_ERROR, "redis", STR_NONE, STR_NONE, -1, STR("a\xff")};
    cr_assert_str_eq(line(&sink, &broken, text, sizeof text),
                     "{\"time\":\"2026-11-21T09:16:58.405Z\",\"level\":\"error\",\"area\":\"redis\","
                     "\"message\":\"a\\ufffd\"}\n");
    log_sink_close(&sink);
}

Test(log_sink, nobody_can_forge_a_line)
{
    struct log_sink sink;
    char text[512];
    cr_assert_eq(log_sink_open(&sink, "/dev/null", UMBEL_INFO, false, false), UMBEL_OK);
    struct log_entry entry = {UMBEL_INFO, "task", STR("a\nb"), STR("\x1b[2J"), -1, STR("x\ny\rz")};
    cr_assert_str_eq(line(&sink, &entry, text, sizeof text),
                     "2026-11-21 09:16:58,405 INFO Task a\\nb[?[2J] x\\ny?z\n");
    log_sink_close(&sink);
}

Test(log_sink, a_pipe_that_nobody_reads_does_not_stop_the_writer, .timeout = 10)
{
    struct log_sink sink;
    int ends[2];
    char path[64];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    cr_assert_eq(log_sink_open(&sink, path, UMBEL_INFO, false, false), UMBEL_OK);
    struct log_entry entry = {UMBEL_INFO, "task", STR("t"), STR("i"), -1, STR("line")};
    for (int i = 0; i < 100000; i++)
        log_sink_entry(&sink, &entry);
    cr_assert_gt(sink.dropped, 0);
    cr_assert_leq(buffer_length(&sink.out), (size_t)1 << 20);
    log_sink_close(&sink);
    close(ends[0]);
    close(ends[1]);
}
