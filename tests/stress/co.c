/* co.c: threads with coroutines that wake each other across threads, for the thread sanitizer. Every ball
 * that is thrown must arrive: a lost wake-up is a hang, which the alarm ends. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/co.h"
#include "common/co_blocking.h"

#define THREADS 3
#define PLAYERS 20
#define THROWS 3000

/* One place where balls arrive. */
struct player {
    pthread_mutex_t lock;
    struct co *waiter; /* NULL: it does not wait */
    int balls;
};

static struct player players[THREADS * PLAYERS];
static atomic_int caught, worked;

static void throw_to(struct player *player)
{
    pthread_mutex_lock(&player->lock);
    player->balls++;
    if (player->waiter)
        co_wake_from(player->waiter);
    pthread_mutex_unlock(&player->lock);
}

static int take(struct player *player, struct co *waiter)
{
    pthread_mutex_lock(&player->lock);
    int balls = player->balls;
    player->balls = 0;
    player->waiter = balls ? NULL : waiter;
    pthread_mutex_unlock(&player->lock);
    return balls;
}

static void work(void *self)
{
    atomic_fetch_add((atomic_int *)self, 1);
}

/* Catches what comes, and throws each ball on to a player of another thread. */
static void play(void *self)
{
    struct player *player = self;
    size_t next = ((size_t)(player - players) + PLAYERS + 1) % (THREADS * PLAYERS);
    while (atomic_load(&caught) < THREADS * PLAYERS * THROWS) {
        int balls = take(player, co_self());
        if (!balls)
            co_park(INFINITY);
        for (; balls > 0; balls--) {
            if (atomic_fetch_add(&caught, 1) % 5000 == 0)
                co_run_blocking(work, &worked, INFINITY);
            throw_to(&players[next]);
        }
    }
    take(player, NULL);
    throw_to(&players[next]); /* it may wait for the last time */
}

static void *live(void *self)
{
    struct player *mine = self;
    struct co_scheduler *scheduler = co_scheduler_of(co_thread_enter());
    for (int i = 0; i < PLAYERS; i++)
        co_start(scheduler, 0, play, &mine[i]);
    while (co_scheduler_count(scheduler))
        co_park_firmly(clock_mono() + 0.01);
    co_thread_leave();
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    alarm(120);
    for (size_t i = 0; i < THREADS * PLAYERS; i++)
        players[i] = (struct player){PTHREAD_MUTEX_INITIALIZER, NULL, i % 2};
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, live, &players[i * PLAYERS]);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d caught, %d on other threads\n", atomic_load(&caught), atomic_load(&worked));
    return atomic_load(&caught) < THREADS * PLAYERS * THROWS || !atomic_load(&worked);
}
