/* consumer_path.h: what the files of a consumer need of each other. */
#ifndef WORKER_CONSUMER_PATH_H
#define WORKER_CONSUMER_PATH_H

#include "worker/consumer.h"

/* Functions with `self` are facts, as the contracts of transport, back end and pool bring them. */

/* ---- consumer_admit.c: from a delivery into the pool */

void consumer_delivered(void *self, struct tag tag, const struct message *msg);
void consumer_garbled(void *self, struct tag tag, const struct message *msg, const char *why);
void consumer_due(uv_timer_t *timer);
/* Decides about it anew; it must be in no list. */
void consumer_admit(struct consumer *consumer, struct request *req);
/* Starts what is ready while the pool has room. */
void consumer_pump(struct consumer *consumer);
/* Among what is ready; it starts when consumer_pump is called. */
void consumer_put_ready(struct consumer *consumer, struct request *req);

/* ---- consumer.c: from an outcome to the acknowledgement */

void consumer_finished(void *self, struct job *job, const struct outcome *outcome);
void consumer_stored(void *self, uint64_t token, int code, const char *why);
void consumer_begun(void *self, uint64_t token, int code, struct backend_history history);
void consumer_sent(void *self, struct parcel *parcel);
void consumer_unsendable(void *self, struct parcel *parcel);
void consumer_again(uv_timer_t *timer);
/* All that a decision about it needs to know. */
void consumer_facts(const struct consumer *consumer, const struct request *req, struct request_facts *facts);
/* Asks the back end whether it may have run before; consumer_admit comes. */
void consumer_look_up(struct consumer *consumer, struct request *req);
/* Asks the back end again for everything that waits for it. */
void consumer_ask_again(struct consumer *consumer);
/* The verdict is final: carries it out, to the acknowledgement. `outcome` is NULL of what has not run. */
void consumer_end(struct consumer *consumer, struct request *req, const struct verdict *verdict,
                  const struct outcome *outcome);
/* The queue's again, as it came: it has not started, or its start does not count. Ends the request. */
void consumer_hand_back(struct consumer *consumer, struct request *req);
/* Acknowledges it before its end, which a task must have asked for. */
void consumer_acknowledge_early(struct consumer *consumer, struct request *req);
/* Stores its result, behind its parts. */
void consumer_store(struct consumer *consumer, struct request *req);
/* The back end said no, or nothing: it is asked again when it is up, or after a pause. */
void consumer_refused(struct consumer *consumer, int code, const char *why);

/* ---- consumer_parts.c */

void consumer_part(void *self, struct job *job, umbel_str value, uint64_t source);
/* Is this the token of a part, not of a result? */
bool consumer_is_part(uint64_t token);
void consumer_part_stored(struct consumer *consumer, uint64_t token, int code, const char *why);
/* Its run has ended, or did not count: what is not stored of its parts is dropped. */
void consumer_run_over(struct consumer *consumer, struct request *req);
/* True: its result must wait for its parts; consumer_store comes. */
bool consumer_parts_first(struct request *req);
/* Sends what was refused again. */
void consumer_parts_again(struct consumer *consumer);
/* At the end. */
void consumer_drop_runs(struct consumer *consumer);
/* The run's name and its parts so far; empty when it gave none. */
umbel_str consumer_run_name(const struct request *req, uint32_t *count);

#endif
