/* co_scene.h: a loop with a scheduler, and coroutines that write down what they did. */
#ifndef TESTS_UNIT_CO_SCENE_H
#define TESTS_UNIT_CO_SCENE_H

#include "common/co.h"
#include "common/loop.h"

struct scene {
    struct loop loop;
    struct co_scheduler *scheduler;
    struct co *first, *second;
    char said[100];
    int code, count;
    double after;
    bool open;
};

struct scene *scene_new(void);
/* Turns the loop until all coroutines have returned. */
void scene_play(struct scene *scene);
/* Plays to the end first. */
void scene_free(struct scene *scene);
void scene_say(struct scene *scene, const char *word);

/* ---- what several files let coroutines and timers do; `self` and the data of the timer are a scene ---- */

/* Says "a", lets the others go on, says "c". */
void scene_say_a_c(void *self);
/* Wakes `first`. */
void scene_wake_first(void *self);
/* Sets `open` and closes the timer. */
void scene_open(uv_timer_t *timer);

#endif
