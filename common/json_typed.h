/* json_typed.h: what kombu 5.3 and later write for values JSON has no form for. */
#ifndef COMMON_JSON_TYPED_H
#define COMMON_JSON_TYPED_H

#include "common/value.h"

/* Turns {"__type__": T, "__value__": V} into the value it stands for: bytes for T "bytes" and "base64", text
 * for "datetime", "date", "time", "decimal" and "uuid". A map of two that is not such a one stays as it is.
 */
void json_typed(struct arena *arena, umbel_value *map);

#endif
