/* error.c: texts of the error list. */
#include <umbel/error.h>

const char *umbel_version(void)
{
    return UMBEL_VERSION;
}

const char *umbel_strerror(int code)
{
    switch (code) {
#define ROW(name, number, text)                                                                              \
    case number:                                                                                             \
        return text;
        UMBEL_ERRORS(ROW)
#undef ROW
    default:
        return "unknown error";
    }
}

const char *umbel_code_name(int code)
{
    switch (code) {
#define ROW(name, number, text)                                                                              \
    case number:                                                                                             \
        return #name;
        UMBEL_ERRORS(ROW)
#undef ROW
    default:
        return "UNKNOWN";
    }
}
