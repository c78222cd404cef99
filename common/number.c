/* number.c: numbers as text.
 *
 * Most doubles in task bodies are whole or have a few decimals: those are found by trying 0 to 15 decimals
 * with exact arithmetic. The rest goes through printf with 15, 16, 17 digits until one reads back; of
 * printf's output only the digits and the exponent are used, so a locale's decimal comma cannot get in. */
#include "common/number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A decimal number: 0.d1d2d3... times ten to the point. */
struct decimal {
    char digits[20]; /* no zero at either end; "0" for zero */
    int count;
    int point;
};

static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static int natural_digits(uint64_t number)
{
    int count = 1;
    for (uint64_t bound = 10; number >= bound && count < 19; bound *= 10)
        count++;
    return count + (number >= 10000000000000000000u);
}

static int natural_text(char *to, uint64_t number)
{
    int count = natural_digits(number);
    for (int i = count - 1; i >= 0; i--, number /= 10)
        to[i] = (char)('0' + number % 10);
    return count;
}

size_t number_integer(char out[NUMBER_SIZE], int64_t value)
{
    char *to = out;
    uint64_t natural = (uint64_t)value;
    if (value < 0) {
        *to++ = '-';
        natural = 0 - natural;
    }
    to += natural_text(to, natural);
    *to = '\0';
    return (size_t)(to - out);
}

/* glibc keeps the "C" locale in its data: making this handle allocates nothing. */
double number_parse(const char *text)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value = strtod_l(text, NULL, plain);
    freelocale(plain);
    return value;
}

static void strip_zeros(struct decimal *decimal)
{
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0')
        decimal->count--;
}

/* Below 1e15 a product or quotient of a whole number and 10^k (k <= 22) is correctly rounded, so equality
 * proves it; and of two decimals with 15 digits no two are the same double, so the first that fits is the
 * shortest. */
static bool short_decimal(double value, struct decimal *decimal)
{
    if (value >= 1e15 || value < 1e-5)
        return false;
    for (int places = 0; places <= 15; places++) {
        double whole = rint(value * powers[places]);
        if (whole >= 1e15)
            return false;
        if (whole / powers[places] == value) {
            decimal->count = natural_text(decimal->digits, (uint64_t)whole);
            decimal->point = decimal->count - places;
            strip_zeros(decimal);
            return true;
        }
    }
    return false;
}

/* printf's rounding to `count` digits. */
static void printed_decimal(double value, int count, struct decimal *decimal)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    const char *from = text;
    decimal->count = 0;
    for (; *from && *from != 'e'; from++) {
        if (*from >= '0' && *from <= '9' && decimal->count < count)
            decimal->digits[decimal->count++] = *from;
    }
    decimal->point = (*from ? atoi(from + 1) : 0) + 1;
    strip_zeros(decimal);
}

static bool reads_back(const struct decimal *decimal, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%.*se%d", decimal->count, decimal->digits, decimal->point - decimal->count);
    return number_parse(text) == value;
}

/* At a power of two the doubles above are twice as far away as those below, so the next decimal up may still
 * read back where the nearest one, below, does not. */
static bool next_reads_back(struct decimal *decimal, double value)
{
    char *last = &decimal->digits[decimal->count - 1];
    if (decimal->count != 16 || *last == '9')
        return false;
    ++*last;
    return reads_back(decimal, value);
}

static void shortest_decimal(double value, struct decimal *decimal)
{
    if (short_decimal(value, decimal))
        return;
    for (int count = value < DBL_MIN ? 1 : 15; count <= 17;
         count++) { /* a subnormal has few digits worth writing */
        printed_decimal(value, count, decimal);
        if (count == 17 || reads_back(decimal, value) || next_reads_back(decimal, value))
            return;
    }
}

static char *zeros(char *to, int count)
{
    while (count-- > 0)
        *to++ = '0';
    return to;
}

static char *digits(char *to, const struct decimal *decimal, int from, int to_count)
{
    for (int i = from; i < to_count; i++)
        *to++ = decimal->digits[i];
    return to;
}

/* 1e+16, 1.5e-07: at least two digits of exponent. */
static char *with_exponent(char *to, const struct decimal *decimal)
{
    int exponent = decimal->point - 1;
    *to++ = decimal->digits[0];
    if (decimal->count > 1)
        *to++ = '.';
    to = digits(to, decimal, 1, decimal->count);
    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    exponent = abs(exponent);
    if (exponent < 10)
        *to++ = '0';
    return to + natural_text(to, (uint64_t)exponent);
}

static char *without_exponent(char *to, const struct decimal *decimal)
{
    int point = decimal->point, count = decimal->count;
    if (point <= 0) {
        *to++ = '0';
        *to++ = '.';
        to = zeros(to, -point);
        return digits(to, decimal, 0, count);
    }
    to = digits(to, decimal, 0, point < count ? point : count);
    to = zeros(to, point - count);
    *to++ = '.';
    if (point >= count)
        *to++ = '0';
    return digits(to, decimal, point, count);
}

static size_t copy_word(char *out, const char *word)
{
    size_t size = strlen(word);
    memcpy(out, word, size + 1);
    return size;
}

size_t number_real(char out[NUMBER_SIZE], double value)
{
    struct decimal decimal = {.digits = "0", .count = 1, .point = 1};
    char *to = out;
    if (isnan(value))
        return copy_word(out, "nan");
    if (isinf(value))
        return copy_word(out, value < 0 ? "-inf" : "inf");
    if (signbit(value))
        *to++ = '-';
    if (value != 0)
        shortest_decimal(fabs(value), &decimal);
    to = decimal.point > 16 || decimal.point < -3 ? with_exponent(to, &decimal)
                                                  : without_exponent(to, &decimal);
    *to = '\0';
    return (size_t)(to - out);
}
