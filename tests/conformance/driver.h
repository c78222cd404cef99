/* driver.h: what the conformance tests share: a loop that is turned until a condition holds or a deadline
 * passes, and the rows (implementations) they run over.
 *
 * A condition is a counter reaching a number; the recorders in station.c and vault.c count every event.
 * Nothing here sleeps, and a wait that ends by its deadline answers false. */
#ifndef TESTS_DRIVER_H
#define TESTS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include "common/loop.h"

/* Long enough for a loaded machine; a test that passes never waits for it. */
#define PATIENCE 10.0

struct driver {
    struct loop loop;
    uv_timer_t deadline;
    bool late;
};

void driver_init(struct driver *driver);
/* Closes the loop; under the address sanitizer the test fails when memory was lost. */
void driver_fini(struct driver *driver);
/* Turns the loop until *counter >= wanted (true) or `seconds` have passed (false). */
bool driver_wait(struct driver *driver, const size_t *counter, size_t wanted, double seconds);

/* An implementation under test. It holds no pointers, for Criterion copies it between processes. */
struct row {
    char name[16];
    char url[512];  /* "%" stands for a fresh name of each test */
    bool in_memory; /* lives and dies with one process */
};

/* The rows there are: always memory and sqlite; amqp when UMBEL_TEST_AMQP, redis when UMBEL_TEST_REDIS names
 * a server. A missing one is left out, and said once on standard output. */
struct row *transport_rows(size_t *count);
struct row *backend_rows(size_t *count);

/* A place of its own for one test: a folder, a name no other test uses, and the row's URL made of them. */
struct place {
    char folder[96];
    char name[40];
    char url[600];
};
void place_init(struct place *place, const struct row *row);
/* Removes the folder and everything in it. */
void place_fini(struct place *place);

#endif
