/* json_text.h: what stands between two quotes of JSON. */
#ifndef COMMON_JSON_TEXT_H
#define COMMON_JSON_TEXT_H

#include "common/value.h"

/* Reads the string whose first byte after the quote is `*at`, in place: the result overwrites the input and a
 * NUL its closing quote at the latest. `*at` moves past the closing quote. The input must end in a NUL that
 * is not part of it, with 8 readable bytes behind. `out` becomes UMBEL_STRING or VALUE_NOT_TEXT. NULL, or a
 * static text that says what is wrong at `*at`; out->as.str.data is NULL when the arena was out. */
const char *json_text_read(struct arena *arena, char **at, umbel_value *out);

#endif
