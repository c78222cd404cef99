/* timer.h: calls at a later time, on a client's own loop.
 *
 *     umbel_call_later(client, 0.5, say, "half a second later");
 *     umbel_enter_at(client, noon, 1, say, "second");
 *     umbel_enter_at(client, noon, 0, say, "first: at one moment the lower priority goes first");
 *     umbel_timers_wait(client, 5.0);
 *
 * Calls run one after the other on the client's background thread, which they must not block: waiting calls answer at
 * once there (umbel_get of what is not done: UMBEL_TIMEOUT). With options.manual_callbacks they run in
 * umbel_client_dispatch instead, and umbel_client_fd is readable when one is due. Order: by time, then by priority, then
 * as they were entered. A call never runs early; late it may be, by about a millisecond and by whatever runs before it.
 *
 * Any thread may enter and cancel, timed calls themselves included. umbel_close drops what is not due by then. */
#ifndef UMBEL_TIMER_H
#define UMBEL_TIMER_H

#include <umbel/client.h>

/* A timed call; 0 is none. A number is never given twice by one client, so one that has run can be cancelled safely. */
typedef uint64_t umbel_timer;

UMBEL_BEGIN

/* Seconds of the clock that umbel_call_at and umbel_enter_at go by: monotonic, since some start, the same in all clients of a process. */
UMBEL_API double umbel_clock(void);
/* Runs call(arg) at a later time. Each answers 0 when the call cannot be made: memory is out, the client is closed, forked or has unusable URLs, or the
 * time is no number; umbel_client_error tells. A time that has passed, or a delay below 0, means at once. */
UMBEL_API umbel_timer umbel_call_soon(umbel_client *client, void (*call)(void *arg), void *arg);
UMBEL_API umbel_timer umbel_call_later(umbel_client *client, double seconds, void (*call)(void *arg), void *arg);
UMBEL_API umbel_timer umbel_call_at(umbel_client *client, double when, void (*call)(void *arg), void *arg);
/* As umbel_call_later and umbel_call_at, and among those of one moment the lower priority runs first. The three above
 * have priority 0. */
UMBEL_API umbel_timer umbel_enter(umbel_client *client, double seconds, int priority, void (*call)(void *arg),
                                  void *arg);
UMBEL_API umbel_timer umbel_enter_at(umbel_client *client, double when, int priority, void (*call)(void *arg),
                                     void *arg);
/* Takes a timed call back. UMBEL_OK: it will not run. UMBEL_NOT_FOUND: it runs, has run, or was cancelled before. */
UMBEL_API int umbel_timer_cancel(umbel_client *client, umbel_timer timer);
/* How many are still to run. */
UMBEL_API size_t umbel_timer_count(umbel_client *client);
/* Waits until none is left and the last has run (less than 0: the client's default timeout). UMBEL_OK or UMBEL_TIMEOUT.
 * With manual_callbacks it runs them on this thread meanwhile, with whatever else waits for umbel_client_dispatch. */
UMBEL_API int umbel_timers_wait(umbel_client *client, double timeout);

UMBEL_END

#endif
