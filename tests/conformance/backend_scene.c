/* backend_scene.c: see backend_scene.h. */
#include "backend_scene.h"

/* Said once, here, for the tests of all files. */
TestSuite(backend, .timeout = 60);

void backend_scene_enter_keeping(struct backend_scene *scene, const struct row *row, double expires)
{
    place_init(&scene->place, row);
    driver_init(&scene->driver);
    vault_open(&scene->vault, &scene->driver, &scene->place, expires);
    vault_open(&scene->other, &scene->driver, &scene->place, expires);
    uuid_make(scene->id);
}

void backend_scene_enter(struct backend_scene *scene, const struct row *row)
{
    backend_scene_enter_keeping(scene, row, 60);
}

void backend_scene_leave(struct backend_scene *scene)
{
    vault_close(&scene->vault);
    vault_close(&scene->other);
    driver_fini(&scene->driver);
    place_fini(&scene->place);
}
