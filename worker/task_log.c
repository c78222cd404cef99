/* task_log.c: see task_log.h. */
#include "worker/task_log.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "common/str.h"

#define VALUE_SHOWN 64u
#define TEXT_MAX 1024

static void say(struct log_sink *sink, umbel_level level, const struct message *msg, double runtime,
                umbel_str message)
{
    struct log_entry entry = {level,   "task",  msg->shadow.size ? msg->shadow : msg->task,
                              msg->id, runtime, message};
    log_sink_entry(sink, &entry);
}

void task_log_received(struct log_sink *sink, const struct message *msg)
{
    if (log_wants(&sink->log, UMBEL_INFO))
        say(sink, UMBEL_INFO, msg, -1, STR("received"));
}

void task_log_note(struct log_sink *sink, umbel_level level, const struct message *msg, const char *format,
                   ...)
{
    if (!log_wants(&sink->log, level))
        return;
    char text[TEXT_MAX];
    va_list list;
    va_start(list, format);
    int size = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (size >= 0)
        say(sink, level, msg, -1,
            (umbel_str){text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1});
}

static int cut(umbel_str text, size_t most)
{
    return (int)(text.size < most ? text.size : most);
}

/* "s: 0.001234" by hand; snprintf's %f would cost more than the rest of the line. */
static size_t write_seconds(char *out, double seconds)
{
    uint64_t micros = seconds > 0 && seconds < 1e9 ? (uint64_t)(seconds * 1e6 + 0.5) : 0;
    char digits[24];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + micros % 10);
        micros /= 10;
    } while (micros || count < 7);
    size_t size = 0;
    while (count) {
        if (count == 6)
            out[size++] = '.';
        out[size++] = digits[--count];
    }
    return size;
}

static size_t write_value(char *out, const struct request *req, umbel_str value)
{
    if (!value.size)
        return (size_t)sprintf(out, "null");
    if (req->job.result_codec != CODEC_JSON)
        return (size_t)sprintf(out, "%zu bytes of msgpack", value.size);
    size_t size = value.size < VALUE_SHOWN ? value.size : VALUE_SHOWN;
    memcpy(out, value.data, size);
    if (size < value.size) {
        memcpy(out + size, "...", 3);
        size += 3;
    }
    return size;
}

static void log_success(struct log_sink *sink, const struct request *req, const struct outcome *outcome)
{
    char text[160] = "succeeded in ";
    size_t size = sizeof "succeeded in " - 1;
    size += write_seconds(text + size, outcome->runtime);
    memcpy(text + size, "s: ", 3);
    size += 3;
    size += write_value(text + size, req, outcome->value);
    say(sink, UMBEL_INFO, &req->msg, outcome->runtime, (umbel_str){text, size});
}

/* A poison's message says already where it was put. */
static bool is_parked_silently(const struct verdict *verdict)
{
    return verdict->send == SEND_PARK && strcmp(verdict->reason, "deaths") != 0;
}

static void log_failure(struct log_sink *sink, const struct request *req, double runtime,
                        const struct verdict *verdict)
{
    char text[TEXT_MAX];
    int size =
        snprintf(text, sizeof text, "failed in %.6fs: %.*s: %.*s%s", runtime, cut(verdict->error_type, 100),
                 verdict->error_type.data, cut(verdict->error_message, 600), verdict->error_message.data,
                 is_parked_silently(verdict) ? " (parked)" : "");
    say(sink, UMBEL_ERROR, &req->msg, runtime,
        (umbel_str){text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1});
}

static void log_death(struct log_sink *sink, const struct request *req, const struct outcome *outcome,
                      const struct verdict *verdict, int deaths)
{
    const char *what = verdict->kind == VERDICT_RUN && deaths == 0 ? "it runs again"
                       : verdict->kind == VERDICT_RUN              ? "it runs again, alone"
                       : verdict->kind == VERDICT_REQUEUE          ? "it goes back to its queue"
                                                          : "it goes back to its queue with that count";
    if (outcome->innocent)
        task_log_note(sink, UMBEL_WARNING, &req->msg, "child %d was ended because of another task; %s",
                      outcome->pid, what);
    else if (outcome->signal)
        task_log_note(sink, UMBEL_WARNING, &req->msg,
                      "child %d running it died of signal %d (SIG%s), deaths so far: %d; %s", outcome->pid,
                      outcome->signal, sigabbrev_np(outcome->signal) ? sigabbrev_np(outcome->signal) : "?",
                      deaths, what);
    else
        task_log_note(sink, UMBEL_WARNING, &req->msg,
                      "child %d running it exited with code %d, deaths so far: %d; %s", outcome->pid,
                      outcome->exit_code, deaths, what);
}

void task_log_outcome(struct log_sink *sink, const struct request *req, const struct outcome *outcome,
                      const struct verdict *verdict, int deaths)
{
    if (outcome->kind == OUTCOME_SUCCESS) {
        if (log_wants(&sink->log, UMBEL_INFO))
            log_success(sink, req, outcome);
    } else if (outcome->kind == OUTCOME_RETRY) {
        task_log_note(sink, UMBEL_INFO, &req->msg, "retry in %gs: %.*s", verdict->delay,
                      cut(outcome->error_message, 600), outcome->error_message.data);
    } else if (outcome->kind == OUTCOME_DIED && verdict->error_type.size == 0) {
        log_death(sink, req, outcome, verdict, deaths);
    } else if (outcome->kind != OUTCOME_READ && log_wants(&sink->log, UMBEL_ERROR)) {
        log_failure(sink, req, outcome->runtime, verdict);
    }
}

void task_log_refused(struct log_sink *sink, const struct message *msg, const struct verdict *verdict)
{
    if (verdict->send == SEND_DELAY)
        task_log_note(sink, UMBEL_INFO, msg, "due in %.3fs, the broker keeps it until then", verdict->delay);
    else if (verdict->error_type.size)
        task_log_note(sink, verdict->send == SEND_PARK ? UMBEL_ERROR : UMBEL_INFO, msg,
                      "not run: %.*s: %.*s%s", cut(verdict->error_type, 100), verdict->error_type.data,
                      cut(verdict->error_message, 600), verdict->error_message.data,
                      is_parked_silently(verdict) ? " (parked)" : "");
    else
        task_log_note(sink, UMBEL_INFO, msg, "not run: it has already ended");
}

void task_log_said(struct log_sink *sink, const struct message *msg, int pid, umbel_level level,
                   umbel_str line)
{
    if (!log_sink_hears(sink, level))
        return;
    if (msg)
        say(sink, level, msg, -1, line);
    else
        log_line(&sink->log, level, "child", "%d: %.*s", pid, cut(line, 3000), line.data);
}
