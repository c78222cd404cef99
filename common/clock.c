/* clock.c: the system's clocks, and ISO 8601 both ways without the C library's time zone state. */
#include "common/clock.h"

#include <math.h>
#include <string.h>
#include <time.h>

double clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

uint64_t clock_mono_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct date {
    int64_t year;
    int64_t month, day; /* from 1 */
};

/* From the first of March of the year 0 to 1970, in days; a day in seconds. */
enum { EPOCH_DAY = 719468, DAY = 86400 };

/* Years counted from March make the leap day the last one; an era is 400 such years, 146097 days. */
static int64_t days_of(struct date date)
{
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t month = (date.month + 9) % 12; /* March is 0 */
    int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - EPOCH_DAY;
}

/* `days` since the first of March of the year 0. */
static struct date date_of(uint32_t days)
{
    uint32_t era = days / 146097, day_of_era = days % 146097;
    uint32_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * day_of_year + 2) / 153;
    struct date date = {.month = month < 10 ? month + 3 : month - 9,
                        .day = day_of_year - (153 * month + 2) / 5 + 1};
    date.year = year + era * 400 + (date.month <= 2);
    return date;
}

/* Two decimal digits. */
static inline char *put_pair(char *to, uint32_t number)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    memcpy(to, pairs + (size_t)2 * number, 2);
    return to + 2;
}

static inline char *put_pair_and(char *to, uint32_t number, char after)
{
    to = put_pair(to, number);
    *to = after;
    return to + 1;
}

static char *put_date(char *to, struct date date)
{
    to = put_pair(to, (uint32_t)date.year / 100);
    to = put_pair_and(to, (uint32_t)date.year % 100, '-');
    to = put_pair_and(to, (uint32_t)date.month, '-');
    return put_pair_and(to, (uint32_t)date.day, 'T');
}

static char *put_time(char *to, uint32_t seconds, uint32_t micro)
{
    to = put_pair_and(to, seconds / 3600, ':');
    to = put_pair_and(to, seconds / 60 % 60, ':');
    to = put_pair_and(to, seconds % 60, '.');
    to = put_pair(to, micro / 10000);
    to = put_pair(to, micro / 100 % 100);
    return put_pair(to, micro % 100);
}

size_t clock_iso(char out[CLOCK_ISO_SIZE], double when, bool offset)
{
    if (!(when > -62135596800.0)) /* 0001-01-01; NaN too */
        when = -62135596800.0;
    if (when > 253402300799.0)
        when = 253402300799.0;
    double whole = floor(when);
    int64_t seconds = (int64_t)whole;
    uint32_t micro = (uint32_t)((when - whole) * 1e6 + 0.5);
    if (micro >= 1000000) {
        micro -= 1000000;
        seconds++;
    }
    uint64_t since = (uint64_t)(seconds + (int64_t)EPOCH_DAY * DAY);
    char *to = put_date(out, date_of((uint32_t)(since / DAY)));
    to = put_time(to, (uint32_t)(since % DAY), micro);
    if (offset) {
        memcpy(to, "+00:00", 6);
        to += 6;
    }
    *to = '\0';
    return (size_t)(to - out);
}

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *cursor, char wanted)
{
    if (cursor->at == cursor->end || *cursor->at != wanted)
        return false;
    cursor->at++;
    return true;
}

/* Exactly `count` digits between low and high; -1 when there are none such. */
static int64_t digits(struct cursor *cursor, int count, int64_t low, int64_t high)
{
    int64_t number = 0;
    for (int i = 0; i < count; i++, cursor->at++) {
        if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9')
            return -1;
        number = number * 10 + (*cursor->at - '0');
    }
    return number < low || number > high ? -1 : number;
}

static double fraction(struct cursor *cursor)
{
    double value = 0, unit = 0.1;
    for (; cursor->at != cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++, unit /= 10)
        value += unit * (*cursor->at - '0');
    return value;
}

/* "", "Z", "+HH:MM", "+HHMM", "+HH", "+HH:MM:SS" and their negatives; seconds east of Greenwich. */
static bool zone(struct cursor *cursor, int64_t *east)
{
    *east = 0;
    if (cursor->at == cursor->end || take(cursor, 'Z') || take(cursor, 'z'))
        return cursor->at == cursor->end;
    int64_t sign = take(cursor, '+') ? 1 : take(cursor, '-') ? -1 : 0;
    int64_t hours = digits(cursor, 2, 0, 23), minutes = 0, seconds = 0;
    if (sign == 0 || hours < 0)
        return false;
    if (cursor->at != cursor->end) {
        take(cursor, ':');
        minutes = digits(cursor, 2, 0, 59);
    }
    if (cursor->at != cursor->end && take(cursor, ':'))
        seconds = digits(cursor, 2, 0, 59);
    *east = sign * (hours * 3600 + minutes * 60 + seconds);
    return minutes >= 0 && seconds >= 0 && cursor->at == cursor->end;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool read_date(struct cursor *cursor, struct date *date)
{
    if ((date->year = digits(cursor, 4, 1, 9999)) < 0 || !take(cursor, '-'))
        return false;
    if ((date->month = digits(cursor, 2, 1, 12)) < 0 || !take(cursor, '-'))
        return false;
    return (date->day = digits(cursor, 2, 1, days_in_month(date->year, date->month))) > 0;
}

/* "HH:MM", "HH:MM:SS", "HH:MM:SS.fraction" */
static bool read_time(struct cursor *cursor, int64_t *seconds, double *below)
{
    int64_t hours = digits(cursor, 2, 0, 23), minutes, rest = 0;
    if (hours < 0 || !take(cursor, ':') || (minutes = digits(cursor, 2, 0, 59)) < 0)
        return false;
    if (take(cursor, ':')) {
        if ((rest = digits(cursor, 2, 0, 59)) < 0)
            return false;
        if (take(cursor, '.') || take(cursor, ','))
            *below = fraction(cursor);
    }
    *seconds = hours * 3600 + minutes * 60 + rest;
    return true;
}

int clock_parse(umbel_str text, double *when)
{
    if (text.size == 0)
        return UMBEL_BAD_VALUE;
    struct cursor cursor = {text.data, text.data + text.size};
    struct date date;
    int64_t seconds = 0, east = 0;
    double below = 0;
    if (!read_date(&cursor, &date))
        return UMBEL_BAD_VALUE;
    if (cursor.at != cursor.end) {
        if (!take(&cursor, 'T') && !take(&cursor, ' ') && !take(&cursor, 't'))
            return UMBEL_BAD_VALUE;
        if (!read_time(&cursor, &seconds, &below) || !zone(&cursor, &east))
            return UMBEL_BAD_VALUE;
    }
    *when = (double)(days_of(date) * DAY + seconds - east) + below;
    return UMBEL_OK;
}
