/* consumer_world.h: all that a consumer talks to, written down: a broker, a back end and a pool that only
 * note what they were asked for. The suite's tests begin with a new world, whose consumer is ready for
 * deliveries. */
#ifndef TESTS_UNIT_CONSUMER_WORLD_H
#define TESTS_UNIT_CONSUMER_WORLD_H

#include <criterion/criterion.h>
#include "common/str.h"
#include "worker/consumer.h"

struct world {
    struct transport transport;
    struct backend backend;
    struct pool pool;
    struct loop loop;
    struct log_sink sink;
    struct registry *registry;
    struct consumer consumer;
    char said[4096]; /* what was asked for, in order: "store id-1 SUCCESS;" */
    uint64_t store_token, begin_token, publish_token;
    struct job *jobs[64];
    int job_count;
    uint32_t room;
    bool takes_back, idle;
    size_t headers_max; /* extra headers a copy may have; more are too large */
    bool no_delays, consumes_no_more;
};

extern struct world world;

/* Adds to what was asked for. */
void world_note(const char *format, ...);
/* Whether exactly this was asked for since the last time; prints what was if not, and forgets it. */
bool world_was(const char *wanted);
void world_forget(void);
/* What is due in the loop is done. */
void world_turn(void);

/* A call of math.add in queue q; the id is borrowed. */
struct message world_message(const char *id);

/* ---- what the others say to the consumer ---- */

void world_deliver(const struct message *msg, uint64_t number, uint32_t epoch);
/* What was delivered and is not settled is the broker's again. */
void world_disown(void);
/* Job number `job`, from 0, in the order in which they were run. */
void world_finish(int job, enum outcome_kind kind);
/* These answer what was asked for last. */
void world_stored(int code);
void world_begun(bool terminal, uint32_t starts);
void world_published(int code);

#endif
