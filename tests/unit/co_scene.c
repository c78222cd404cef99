/* co_scene.c: see co_scene.h. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "co_scene.h"

struct scene *scene_new(void)
{
    struct scene *scene = calloc(1, sizeof *scene);
    cr_assert_eq(loop_init(&scene->loop), 0);
    scene->scheduler = co_scheduler_new(&scene->loop.uv);
    cr_assert(scene->scheduler);
    return scene;
}

void scene_play(struct scene *scene)
{
    double end = clock_mono() + 10;
    while (co_scheduler_count(scene->scheduler)) {
        cr_assert_lt(clock_mono(), end, "a coroutine never returned; it said: %s", scene->said);
        uv_run(&scene->loop.uv, UV_RUN_ONCE);
    }
}

void scene_free(struct scene *scene)
{
    scene_play(scene);
    cr_assert_eq(co_scheduler_free(scene->scheduler), 0);
    loop_fini(&scene->loop);
    free(scene);
}

void scene_say(struct scene *scene, const char *word)
{
    strncat(scene->said, word, sizeof scene->said - strlen(scene->said) - 1);
}

void scene_say_a_c(void *self)
{
    scene_say(self, "a");
    co_pass();
    scene_say(self, "c");
}

void scene_wake_first(void *self)
{
    struct scene *scene = self;
    co_wake(scene->first);
}

void scene_open(uv_timer_t *timer)
{
    struct scene *scene = timer->data;
    scene->open = true;
    uv_close((uv_handle_t *)timer, NULL);
}
