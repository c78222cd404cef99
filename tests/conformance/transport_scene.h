/* transport_scene.h: what each test of a transport stands on: a queue of its own, and a station that is up.
 * What broker/transport.h promises is tested by one body per promise, over every implementation. */
#ifndef TESTS_TRANSPORT_SCENE_H
#define TESTS_TRANSPORT_SCENE_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include "common/str.h"
#include "station.h"

#define BODY STR("[[2, 3], {}, {}]")

#define PROMISE(name)                                                                                        \
    ParameterizedTestParameters(transport, name)                                                             \
    {                                                                                                        \
        size_t count;                                                                                        \
        struct row *rows = transport_rows(&count);                                                           \
        return cr_make_param_array(struct row, rows, count);                                                 \
    }                                                                                                        \
    ParameterizedTest(struct row *row, transport, name)

struct transport_scene {
    struct place place;
    struct driver driver;
    struct station station;
    const char *queue;
};

void transport_scene_enter(struct transport_scene *scene, const struct row *row);
/* Empties the queue, for a server is shared by all tests, and closes. */
void transport_scene_leave(struct transport_scene *scene);

#endif
