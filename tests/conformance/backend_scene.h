/* backend_scene.h: what each test of a back end stands on: an id, and two back ends of one store that are up.
 * What broker/backend.h promises is tested by one body per promise, over every implementation. */
#ifndef TESTS_BACKEND_SCENE_H
#define TESTS_BACKEND_SCENE_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include "common/str.h"
#include "common/uuid.h"
#include "vault.h"

#define PROMISE(name)                                                                                        \
    ParameterizedTestParameters(backend, name)                                                               \
    {                                                                                                        \
        size_t count;                                                                                        \
        struct row *rows = backend_rows(&count);                                                             \
        return cr_make_param_array(struct row, rows, count);                                                 \
    }                                                                                                        \
    ParameterizedTest(struct row *row, backend, name)

struct backend_scene {
    struct place place;
    struct driver driver;
    struct vault vault, other;
    char id[UUID_SIZE];
};

void backend_scene_enter(struct backend_scene *scene, const struct row *row);
/* `expires` as in backend_options. */
void backend_scene_enter_keeping(struct backend_scene *scene, const struct row *row, double expires);
void backend_scene_leave(struct backend_scene *scene);

#endif
