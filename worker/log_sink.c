/* log_sink.c: see log_sink.h. Formatting is by hand: at tens of thousands of lines a second printf would be
 * the worker's dearest function. Control characters never reach a line, so nobody can forge one. */
#include "worker/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/str.h"

#define OUT_MAX ((size_t)1 << 20)
#define PIPE_PIECE 4096u /* POSIX: a pipe that polls writable takes so much at once */
#define AGAIN_MS 50

static const char *const level_words[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
static const char *const level_fields[] = {"debug", "info", "warning", "error"};
static const char *const level_colours[] = {"\033[2m", "", "\033[33m", "\033[31m"};

/* ---- one line
 * --------------------------------------------------------------------------------------------------- */

static void write_stamp(struct log_sink *sink, double now)
{
    double whole = floor(now);
    if ((int64_t)whole != sink->second) {
        time_t when = (time_t)whole;
        struct tm parts;
        sink->second = (int64_t)whole;
        strftime(sink->stamp, sizeof sink->stamp, sink->json ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d %H:%M:%S",
                 sink->json ? gmtime_r(&when, &parts) : localtime_r(&when, &parts));
    }
    unsigned ms = (unsigned)((now - whole) * 1000.0) % 1000u;
    char rest[5] = {sink->json ? '.' : ',', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10),
                    (char)('0' + ms % 10), 'Z'};
    buffer_text(&sink->out, sink->stamp);
    buffer_add(&sink->out, rest, sink->json ? 5 : 4);
}

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte != 0x7f;
}

/* Runs of plain characters are copied whole; the rest is spelled. */
static void write_clean(struct buffer *out, umbel_str text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (is_plain((uint8_t)text.data[i]))
            continue;
        buffer_add(out, text.data + from, i - from);
        buffer_text(out, text.data[i] == '\n' ? "\\n" : text.data[i] == '\t' ? " " : "?");
        from = i + 1;
    }
    if (text.size > from)
        buffer_add(out, text.data + from, text.size - from);
}

static void write_json_text(struct buffer *out, umbel_str text)
{
    bool utf8 = str_utf8(text);
    size_t from = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        if (is_plain(byte) && byte != '"' && byte != '\\' && (utf8 || byte < 0x80))
            continue;
        if (i > from)
            buffer_add(out, text.data + from, i - from);
        if (byte == '"' || byte == '\\')
            buffer_add(out, (char[]){'\\', (char)byte}, 2);
        else if (byte == '\n')
            buffer_text(out, "\\n");
        else
            buffer_format(out, "\\u%04x", byte < 0x80 ? byte : 0xfffdu);
        from = i + 1;
    }
    if (text.size > from)
        buffer_add(out, text.data + from, text.size - from);
}

static void write_json_field(struct buffer *out, const char *name, umbel_str text)
{
    buffer_text(out, name);
    write_json_text(out, text);
    buffer_byte(out, '"');
}

static void format_json(struct log_sink *sink, const struct log_entry *entry, double now)
{
    struct buffer *out = &sink->out;
    buffer_text(out, "{\"time\":\"");
    write_stamp(sink, now);
    buffer_text(out, "\",\"level\":\"");
    buffer_text(out, level_fields[entry->level]);
    buffer_text(out, "\",\"area\":\"");
    buffer_text(out, entry->area);
    buffer_byte(out, '"');
    if (entry->task.size)
        write_json_field(out, ",\"task\":\"", entry->task);
    if (entry->id.size)
        write_json_field(out, ",\"id\":\"", entry->id);
    if (entry->runtime >= 0)
        buffer_format(out, ",\"runtime\":%.6f", entry->runtime);
    write_json_field(out, ",\"message\":\"", entry->message);
    buffer_text(out, "}\n");
}

static void format_text(struct log_sink *sink, const struct log_entry *entry, double now)
{
    struct buffer *out = &sink->out;
    write_stamp(sink, now);
    buffer_byte(out, ' ');
    if (sink->colour)
        buffer_text(out, level_colours[entry->level]);
    buffer_text(out, level_words[entry->level]);
    buffer_byte(out, ' ');
    if (entry->task.size || entry->id.size) {
        buffer_text(out, "Task ");
        write_clean(out, entry->task.size ? entry->task : STR("?"));
        buffer_byte(out, '[');
        write_clean(out, entry->id);
        buffer_text(out, "] ");
    } else {
        buffer_text(out, entry->area);
        buffer_text(out, ": ");
    }
    write_clean(out, entry->message);
    buffer_text(out, sink->colour && level_colours[entry->level][0] ? "\033[0m\n" : "\n");
}

void log_sink_format(struct log_sink *sink, const struct log_entry *entry, double now)
{
    if (sink->json)
        format_json(sink, entry, now);
    else
        format_text(sink, entry, now);
}

/* ---- writing
 * ---------------------------------------------------------------------------------------------------- */

static bool can_take(const struct log_sink *sink)
{
    struct pollfd poll_fd = {.fd = sink->fd, .events = POLLOUT};
    return !sink->pipe || poll(&poll_fd, 1, 0) == 1;
}

/* Writes what the descriptor takes without waiting. A descriptor that is broken swallows: there is nobody to
 * tell. */
static void write_out(struct log_sink *sink)
{
    while (buffer_length(&sink->out) && can_take(sink)) {
        size_t size = buffer_length(&sink->out);
        ssize_t wrote =
            write(sink->fd, buffer_head(&sink->out), sink->pipe && size > PIPE_PIECE ? PIPE_PIECE : size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && errno == EAGAIN)
            break;
        if (wrote < 0)
            buffer_clear(&sink->out);
        else
            buffer_take(&sink->out, (size_t)wrote);
    }
    if (!buffer_length(&sink->out))
        buffer_clear(&sink->out);
}

static void flush(void *self);

static void on_timer(uv_timer_t *timer)
{
    flush(timer->data);
}

static void say_dropped(struct log_sink *sink)
{
    char text[80];
    int size = snprintf(text, sizeof text, "%llu lines were lost: the log's reader does not keep up",
                        (unsigned long long)sink->dropped);
    struct log_entry entry = {UMBEL_WARNING, "log", STR_NONE, STR_NONE, -1, {text, (size_t)size}};
    sink->dropped = 0;
    log_sink_entry(sink, &entry);
}

static void flush(void *self)
{
    struct log_sink *sink = self;
    write_out(sink);
    if (buffer_length(&sink->out) && sink->loop)
        uv_timer_start(&sink->timer, on_timer, AGAIN_MS, 0);
    else if (sink->dropped)
        say_dropped(sink);
}

static void hand_onward(struct log_sink *sink, const struct log_entry *entry)
{
    umbel_str title = entry->task.size ? entry->task : STR("?"), text = entry->message;
    umbel_str id = entry->id.size ? entry->id : STR("?");
    if (sink->onward)
        log_line(sink->onward, entry->level, entry->area, "%.*s[%.*s] %.*s", (int)title.size, title.data,
                 (int)id.size, id.data, (int)text.size, text.data);
    else
        fprintf(stderr, "%.*s\n", (int)text.size, text.data);
}

bool log_sink_hears(const struct log_sink *sink, umbel_level level)
{
    return sink->borrowed ? !sink->onward || log_wants(sink->onward, level) : log_wants(&sink->log, level);
}

void log_sink_entry(struct log_sink *sink, const struct log_entry *entry)
{
    if (sink->borrowed) {
        hand_onward(sink, entry);
        return;
    }
    if (buffer_length(&sink->out) + entry->message.size + 1024 > OUT_MAX) {
        sink->dropped++;
        return;
    }
    log_sink_format(sink, entry, clock_now());
    if (sink->loop)
        loop_mark(sink->loop, &sink->hook);
    else
        flush(sink);
}

static void write_line(void *self, umbel_level level, const char *area, const char *line)
{
    struct log_entry entry = {level, area, STR_NONE, STR_NONE, -1, str_of(line)};
    log_sink_entry(self, &entry);
}

/* ---- life
 * ------------------------------------------------------------------------------------------------------- */

static int open_path(const char *path)
{
    return path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640) : STDERR_FILENO;
}

static void use_fd(struct log_sink *sink, int fd)
{
    struct stat info;
    sink->fd = fd;
    sink->pipe = fstat(fd, &info) == 0 && !S_ISREG(info.st_mode);
}

int log_sink_open(struct log_sink *sink, const char *path, umbel_level level, bool json, bool colour)
{
    *sink = (struct log_sink){.path = path && *path ? path : NULL, .json = json, .second = -1};
    int fd = open_path(sink->path);
    if (fd < 0)
        return UMBEL_SYSTEM;
    use_fd(sink, fd);
    sink->colour = colour && !json && isatty(fd);
    sink->log = (struct log){level, write_line, sink};
    sink->hook = (struct turn_hook){.call = flush, .self = sink};
    buffer_init(&sink->out, 2 * OUT_MAX);
    return UMBEL_OK;
}

static void write_onward(void *self, umbel_level level, const char *area, const char *line)
{
    const struct log_sink *sink = self;
    log_line(sink->onward, level, area, "%s", line);
}

void log_sink_borrow(struct log_sink *sink, const struct log *onward)
{
    *sink = (struct log_sink){.borrowed = true, .onward = onward, .fd = -1};
    sink->log = (struct log){onward ? UMBEL_WARNING : UMBEL_ERROR + 1, write_onward, sink};
}

void log_sink_attach(struct log_sink *sink, struct loop *loop)
{
    uv_timer_init(&loop->uv, &sink->timer);
    uv_unref((uv_handle_t *)&sink->timer);
    sink->timer.data = sink;
    sink->loop = loop;
}

void log_sink_detach(struct log_sink *sink)
{
    if (!sink->loop)
        return;
    loop_unmark(sink->loop, &sink->hook);
    uv_close((uv_handle_t *)&sink->timer, NULL);
    sink->loop = NULL;
    flush(sink);
}

int log_sink_reopen(struct log_sink *sink)
{
    if (!sink->path)
        return UMBEL_OK;
    int fd = open_path(sink->path);
    if (fd < 0)
        return UMBEL_SYSTEM;
    flush(sink);
    close(sink->fd);
    use_fd(sink, fd);
    return UMBEL_OK;
}

void log_sink_close(struct log_sink *sink)
{
    if (sink->borrowed)
        return;
    flush(sink);
    if (sink->path && sink->fd >= 0)
        close(sink->fd);
    buffer_fini(&sink->out);
    sink->fd = -1;
}
