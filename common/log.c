/* log.c: one event, one line. Text of a peer may stand in it, so what could end a line or steer a terminal is
 * blanked. */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_SIZE = 4096 };

/* C0 and DEL, and C1 as UTF-8 writes it (C2 80 to C2 9F). */
static void blank_controls(char *line)
{
    for (unsigned char *p = (unsigned char *)line; *p; p++) {
        if (*p < 0x20 || *p == 0x7F)
            *p = ' ';
        else if (*p == 0xC2 && p[1] >= 0x80 && p[1] <= 0x9F)
            p[0] = p[1] = ' ';
    }
}

/* Ends a line that was cut with dots, not in the middle of a character. */
static void mark_cut(char line[LINE_SIZE])
{
    size_t end = LINE_SIZE - sizeof "...";
    while (end > 0 && ((unsigned char)line[end] & 0xC0) == 0x80)
        end--;
    memcpy(line + end, "...", sizeof "...");
}

void log_line(const struct log *log, umbel_level level, const char *area, const char *format, ...)
{
    if (!log_wants(log, level))
        return;
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (size < 0)
        return;
    if ((size_t)size >= sizeof line)
        mark_cut(line);
    blank_controls(line);
    log->write(log->self, level, area, line);
}
