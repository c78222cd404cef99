/* pool_local_posts.c: what happens on the members, on its way to the consumer.
 *
 * First what runs on the members, then, on the loop's thread, the notes and the delivery. */
#include "worker/pool_local_inside.h"
#include "common/str.h"

#include <stdlib.h>
#include <string.h>
#include "worker/part_window.h"

#define PACKED_MAX (TASK_BODY_MAX + (16u << 20))

/* ---- on the members ---- */

/* False: nobody listens any more, the item is the caller's still. */
static bool post(struct local *pool, struct post *item)
{
    item->next = NULL;
    pthread_mutex_lock(&pool->lock);
    bool first = pool->posts == NULL, deaf = pool->deaf;
    if (!deaf) {
        *pool->posts_end = item;
        pool->posts_end = &item->next;
        if (item->kind == POST_FINISHED)
            item->note->posted = true;
        if (first) /* under the lock, or the handle could be closed in between */
            uv_async_send(&pool->async);
    }
    pthread_mutex_unlock(&pool->lock);
    return !deaf;
}

/* False: out of memory. */
static bool post_text(struct crew_job *run, enum post_kind kind, umbel_level level, umbel_str text)
{
    struct note *note = run->owner;
    struct post *item = malloc(sizeof *item + text.size);
    if (!item)
        return false;
    *item = (struct post){.kind = kind, .note = note, .level = level};
    item->text = (umbel_str){(const char *)(item + 1), text.size};
    if (text.size)
        memcpy(item + 1, text.data, text.size);
    if (!post(note->pool, item))
        free(item);
    return true;
}

bool local_post(struct crew_job *run, enum post_kind kind)
{
    return post_text(run, kind, UMBEL_INFO, STR_NONE);
}

static bool on_claim(void *self, struct crew_job *run, uint64_t now_ns)
{
    struct note *note = run->owner;
    (void)self;
    atomic_store(&note->began, now_ns);
    return true;
}

static bool on_open(void *self, struct crew_job *run, struct arena *arena)
{
    struct note *note = run->owner;
    umbel_str packed = {(const char *)buffer_head(&note->packed), buffer_length(&note->packed)};
    (void)self;
    return message_unpack(arena, packed, &note->msg) == UMBEL_OK;
}

static void on_done(void *self, struct crew_job *run, const struct outcome *outcome)
{
    struct note *note = run->owner;
    note->outcome = *outcome;
    note->end = (struct post){.kind = POST_FINISHED, .note = note};
    post(self, &note->end); /* its memory is the note's */
}

static void on_say(void *self, struct crew_job *run, umbel_level level, umbel_str line)
{
    (void)self;
    post_text(run, POST_SAID, level, line);
}

static void on_progress(void *self, struct crew_job *run, umbel_str value)
{
    (void)self;
    post_text(run, POST_PROGRESS, UMBEL_INFO, value);
}

static int on_part(void *self, struct crew_job *run, umbel_str value)
{
    struct local *pool = self;
    if (!part_window_enter(&pool->parts_given, &pool->parts_taken, value.size, PART_WINDOW))
        return UMBEL_BUSY;
    if (post_text(run, POST_PART, UMBEL_INFO, value))
        return UMBEL_OK;
    atomic_fetch_add(&pool->parts_taken, value.size);
    return UMBEL_NO_MEMORY;
}

const struct crew_events local_crew_events = {.claim = on_claim,
                                              .open = on_open,
                                              .done = on_done,
                                              .say = on_say,
                                              .progress = on_progress,
                                              .part = on_part};

/* ---- notes, on the loop's thread from here on ---- */

struct note *local_note_make(struct local *pool)
{
    struct note *note = pool->spare;
    if (note) {
        pool->spare = note->next;
        struct buffer packed = note->packed;
        *note = (struct note){.pool = pool, .packed = packed};
        buffer_clear(&note->packed);
        return note;
    }
    note = calloc(1, sizeof *note);
    if (note) {
        note->pool = pool;
        buffer_init(&note->packed, PACKED_MAX);
    }
    return note;
}

void local_note_spare(struct local *pool, struct note *note)
{
    note->next = pool->spare;
    pool->spare = note;
}

void local_note_link(struct local *pool, struct note *note)
{
    note->next = NULL;
    note->prev = pool->last;
    *(pool->last ? &pool->last->next : &pool->first) = note;
    pool->last = note;
    pool->held++;
}

void local_note_unlink(struct local *pool, struct note *note)
{
    *(note->prev ? &note->prev->next : &pool->first) = note->next;
    *(note->next ? &note->next->prev : &pool->last) = note->prev;
    note->next = note->prev = NULL;
    pool->held--;
}

/* ---- telling the consumer ---- */

void local_tell_started(struct note *note)
{
    struct local *pool = note->pool;
    if (note->told_started)
        return;
    note->told_started = true;
    pool->events->started(pool->self, note->job, pool->pid);
}

/* The note stays the caller's. */
void local_finish(struct note *note, struct outcome *outcome)
{
    struct local *pool = note->pool;
    struct job *job = note->job;
    note->job = NULL;
    job->pool_private = NULL;
    local_note_unlink(pool, note);
    local_leave_lane(pool, note);
    outcome->pid = pool->pid;
    pool->room_due = true;
    loop_mark(pool->loop, &pool->turn);
    pool->events->finished(pool->self, job, outcome);
}

static void deliver_end(struct local *pool, struct note *note)
{
    if (note->job) {
        local_tell_started(note);
        local_finish(note, &note->outcome);
    } else {
        pool->left_behind--;
        local_set_limit(pool);
    }
    crew_release(pool->crew, &note->run);
    local_note_spare(pool, note);
    local_place(pool);
}

static void deliver_part(struct local *pool, struct note *note, umbel_str value)
{
    if (note->job)
        pool->events->part(pool->self, note->job, value, 0);
    else
        atomic_fetch_add(&pool->parts_taken, value.size);
}

static void deliver_text(struct local *pool, struct post *item)
{
    struct note *note = item->note;
    if (note->job)
        local_tell_started(note);
    if (item->kind == POST_WAITS || item->kind == POST_GOES_ON)
        local_heard_wait(pool, note, item->kind == POST_WAITS);
    else if (item->kind == POST_SAID)
        pool->events->said(pool->self, note->job, pool->pid, item->level, item->text);
    else if (item->kind == POST_PART)
        deliver_part(pool, note, item->text);
    else if (note->job)
        pool->events->progress(pool->self, note->job, item->text);
    free(item);
}

static struct post *take_posts(struct local *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct post *all = pool->posts;
    pool->posts = NULL;
    pool->posts_end = &pool->posts;
    pthread_mutex_unlock(&pool->lock);
    return all;
}

void local_deliver(struct local *pool)
{
    struct post *item = take_posts(pool);
    while (item) {
        struct post *next = item->next;
        if (item->kind == POST_FINISHED)
            deliver_end(pool, item->note);
        else
            deliver_text(pool, item);
        item = next;
    }
}

/* The crew is no more: nobody is told, nothing is given back to it. */
void local_discard(struct local *pool)
{
    struct post *item = take_posts(pool);
    while (item) {
        struct post *next = item->next;
        if (item->kind == POST_FINISHED)
            local_note_spare(pool, item->note);
        else
            free(item);
        item = next;
    }
}

void local_on_async(uv_async_t *async)
{
    local_deliver(async->data);
}
