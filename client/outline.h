/* outline.h: a value as indented text for a person. */
#ifndef CLIENT_OUTLINE_H
#define CLIENT_OUTLINE_H

#include <umbel/value.h>

/* "title: value" on stdout; lists and maps below it, indented. What a terminal could take for a command is
 * left out. */
void outline_print(umbel_str title, const umbel_value *value);
/* At most so many letters of a text, without a line end, and without what a terminal could take for a
 * command; answers how many. */
size_t outline_text(umbel_str text, size_t most);
/* One scalar without a line end; anything else as JSON. */
void outline_scalar(const umbel_value *value);

#endif
