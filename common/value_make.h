/* value_make.h: what decoders make values with. */
#ifndef COMMON_VALUE_MAKE_H
#define COMMON_VALUE_MAKE_H

#include "common/value.h"

/* A place for one more element, or for the pair of `key`; NULL when the arena is out. */
umbel_value *value_list_add(struct arena *arena, umbel_value *list);
umbel_value *value_map_add(struct arena *arena, umbel_value *map, umbel_str key);
/* Lets the last of equal keys win, at the place of the first, as Python does. False when the arena is out. */
bool value_map_finish(struct arena *arena, umbel_value *map);
/* VALUE_NOT_TEXT of bytes that ought to be text, with what is not printable ASCII as \xNN. False when the arena is out. */
bool value_make_not_text(struct arena *arena, umbel_str bytes, umbel_value *out);

#endif
