/* transport_scene.c: see transport_scene.h. */
#include "transport_scene.h"

/* Said once, here, for the tests of all files. */
TestSuite(transport, .timeout = 60);

void transport_scene_enter(struct transport_scene *scene, const struct row *row)
{
    place_init(&scene->place, row);
    driver_init(&scene->driver);
    scene->queue = scene->place.name;
    station_open(&scene->station, &scene->driver, scene->place.url);
}

static void purge(struct transport_scene *scene)
{
    size_t before = scene->station.counted;
    scene->station.transport->ops->purge(scene->station.transport, scene->queue, 1);
    station_wait(&scene->station, &scene->station.counted, before + 1);
}

void transport_scene_leave(struct transport_scene *scene)
{
    if (scene->station.transport)
        purge(scene);
    station_close(&scene->station);
    driver_fini(&scene->driver);
    place_fini(&scene->place);
}
