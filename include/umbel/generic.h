/* generic.h: the compiler picks the kind of a value. C11 does it with _Generic here; C++ with templates in generic.hpp.
 *
 * UMBEL_GIVE(x) makes a cell from any value, UMBEL_TAKE(&x) a destination from any pointer; a type that Umbel does not
 * know does not compile. UMBEL_ARGS(...) and UMBEL_KWARGS(...) build a call's arguments; they live until the end of
 * the enclosing block, as compound literals do. */
#ifndef UMBEL_GENERIC_H
#define UMBEL_GENERIC_H

#include <umbel/value.h>

UMBEL_BEGIN
#define UMBEL_TAKE_FUNCTION(suffix, type, kind)                                                              \
    static inline umbel_take umbel_take_##suffix(type *to)                                                   \
    {                                                                                                        \
        return umbel_take_make((void *)to, kind);                                                            \
    }
UMBEL_TAKE_FUNCTION(bool, bool, UMBEL_TAKE_BOOL)
UMBEL_TAKE_FUNCTION(schar, signed char, UMBEL_TAKE_I8)
UMBEL_TAKE_FUNCTION(short, short, UMBEL_TAKE_I16)
UMBEL_TAKE_FUNCTION(int, int, UMBEL_TAKE_I32)
UMBEL_TAKE_FUNCTION(long, long, sizeof(long) == 8 ? UMBEL_TAKE_I64 : UMBEL_TAKE_I32)
UMBEL_TAKE_FUNCTION(llong, long long, UMBEL_TAKE_I64)
UMBEL_TAKE_FUNCTION(uchar, unsigned char, UMBEL_TAKE_U8)
UMBEL_TAKE_FUNCTION(ushort, unsigned short, UMBEL_TAKE_U16)
UMBEL_TAKE_FUNCTION(uint, unsigned int, UMBEL_TAKE_U32)
UMBEL_TAKE_FUNCTION(ulong, unsigned long, sizeof(long) == 8 ? UMBEL_TAKE_U64 : UMBEL_TAKE_U32)
UMBEL_TAKE_FUNCTION(ullong, unsigned long long, UMBEL_TAKE_U64)
UMBEL_TAKE_FUNCTION(float, float, UMBEL_TAKE_FLOAT)
UMBEL_TAKE_FUNCTION(double, double, UMBEL_TAKE_DOUBLE)
UMBEL_TAKE_FUNCTION(text, const char *, UMBEL_TAKE_TEXT)
UMBEL_TAKE_FUNCTION(str, umbel_str, UMBEL_TAKE_STR)
UMBEL_TAKE_FUNCTION(value, const umbel_value *, UMBEL_TAKE_VALUE)
static inline umbel_take umbel_take_same(umbel_take take)
{
    return take;
}
static inline umbel_take umbel_take_none(const void *unused)
{
    (void)unused;
    return umbel_take_make(NULL, UMBEL_TAKE_NOTHING);
}
UMBEL_END

#ifndef __cplusplus

/* clang-format off */
#define UMBEL_GIVE(x)                                                                                        \
    _Generic((x), bool: umbel_give_bool,                                                                     \
        char: umbel_give_int, signed char: umbel_give_int, short: umbel_give_int, int: umbel_give_int,       \
        long: umbel_give_int, long long: umbel_give_int,                                                     \
        unsigned char: umbel_give_uint, unsigned short: umbel_give_uint, unsigned int: umbel_give_uint,      \
        unsigned long: umbel_give_uint, unsigned long long: umbel_give_uint,                                 \
        float: umbel_give_double, double: umbel_give_double,                                                 \
        char *: umbel_give_text, const char *: umbel_give_text,                                              \
        umbel_str: umbel_give_str, umbel_value *: umbel_give_value, const umbel_value *: umbel_give_value,   \
        umbel_give: umbel_give_same, void *: umbel_give_none)(x)

#define UMBEL_TAKE(p)                                                                                        \
    _Generic((p), bool *: umbel_take_bool, signed char *: umbel_take_schar, short *: umbel_take_short,       \
        int *: umbel_take_int, long *: umbel_take_long, long long *: umbel_take_llong,                       \
        unsigned char *: umbel_take_uchar, unsigned short *: umbel_take_ushort,                              \
        unsigned int *: umbel_take_uint, unsigned long *: umbel_take_ulong,                                  \
        unsigned long long *: umbel_take_ullong, float *: umbel_take_float, double *: umbel_take_double,     \
        const char **: umbel_take_text, umbel_str *: umbel_take_str,                                         \
        const umbel_value **: umbel_take_value, umbel_take: umbel_take_same, void *: umbel_take_none)(p)

#define UMBEL_COUNT(...) UMBEL_COUNT_(_ __VA_OPT__(,) __VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define UMBEL_COUNT_(_, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, count, ...) count
#define UMBEL_PASTE(a, b) UMBEL_PASTE_(a, b)
#define UMBEL_PASTE_(a, b) a##b
/* UMBEL_EACH(M, a, b) is `M(a), M(b),`: up to 16, and nothing for none. */
#define UMBEL_EACH(M, ...) UMBEL_PASTE(UMBEL_EACH_, UMBEL_COUNT(__VA_ARGS__))(M __VA_OPT__(,) __VA_ARGS__)
#define UMBEL_EACH_0(M, ...)
#define UMBEL_EACH_1(M, x) M(x),
#define UMBEL_EACH_2(M, x, ...) M(x), UMBEL_EACH_1(M, __VA_ARGS__)
#define UMBEL_EACH_3(M, x, ...) M(x), UMBEL_EACH_2(M, __VA_ARGS__)
#define UMBEL_EACH_4(M, x, ...) M(x), UMBEL_EACH_3(M, __VA_ARGS__)
#define UMBEL_EACH_5(M, x, ...) M(x), UMBEL_EACH_4(M, __VA_ARGS__)
#define UMBEL_EACH_6(M, x, ...) M(x), UMBEL_EACH_5(M, __VA_ARGS__)
#define UMBEL_EACH_7(M, x, ...) M(x), UMBEL_EACH_6(M, __VA_ARGS__)
#define UMBEL_EACH_8(M, x, ...) M(x), UMBEL_EACH_7(M, __VA_ARGS__)
#define UMBEL_EACH_9(M, x, ...) M(x), UMBEL_EACH_8(M, __VA_ARGS__)
#define UMBEL_EACH_10(M, x, ...) M(x), UMBEL_EACH_9(M, __VA_ARGS__)
#define UMBEL_EACH_11(M, x, ...) M(x), UMBEL_EACH_10(M, __VA_ARGS__)
#define UMBEL_EACH_12(M, x, ...) M(x), UMBEL_EACH_11(M, __VA_ARGS__)
#define UMBEL_EACH_13(M, x, ...) M(x), UMBEL_EACH_12(M, __VA_ARGS__)
#define UMBEL_EACH_14(M, x, ...) M(x), UMBEL_EACH_13(M, __VA_ARGS__)
#define UMBEL_EACH_15(M, x, ...) M(x), UMBEL_EACH_14(M, __VA_ARGS__)
#define UMBEL_EACH_16(M, x, ...) M(x), UMBEL_EACH_15(M, __VA_ARGS__)
/* clang-format on */

/* A parameter that may also be given by name; the second may be left out, its variable then keeps what it held. */
#define umbel_named(name, pointer) umbel_take_named((name), false, UMBEL_TAKE(pointer))
#define umbel_optional(name, pointer) umbel_take_named((name), true, UMBEL_TAKE(pointer))

/* One named argument of a call: UMBEL_ARGS(2, umbel_kwarg("scale", 3)). Named ones come last. */
#define umbel_kwarg(name, value) umbel_give_named((name), UMBEL_GIVE(value))

/* The arguments of a call, positional ones first; a list that ends itself. Write UMBEL_TRUE for `true` (value.h). */
#define UMBEL_ARGS(...)                                                                                      \
    ((umbel_arguments){(umbel_give[]){UMBEL_EACH(UMBEL_GIVE, __VA_ARGS__) umbel_give_none(NULL)}, UMBEL_COUNT(__VA_ARGS__)})

#endif /* C */

/* What UMBEL_ARGS makes. Borrowed by the call it is given to. */
typedef struct umbel_arguments {
    const umbel_give *gives;
    size_t count;
} umbel_arguments;

#ifdef __cplusplus
#include <umbel/generic.hpp>
#endif

#endif
