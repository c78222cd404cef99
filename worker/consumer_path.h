/* consumer_path.h: what consumer_life.c needs of the path of a task in consumer.c. */
#ifndef WORKER_CONSUMER_PATH_H
#define WORKER_CONSUMER_PATH_H

#include "worker/consumer.h"

/* Facts, as the contracts of transport, back end and pool bring them. */
void consumer_delivered(void *self, struct tag tag, const struct message *msg);
void consumer_garbled(void *self, struct tag tag, const struct message *msg, const char *why);
void consumer_stored(void *self, uint64_t token, int code, const char *why);
void consumer_begun(void *self, uint64_t token, int code, struct backend_history history);
void consumer_finished(void *self, struct job *job, const struct outcome *outcome);
void consumer_sent(void *self, struct parcel *parcel);
void consumer_unsendable(void *self, struct parcel *parcel);
void consumer_due(uv_timer_t *timer);
void consumer_again(uv_timer_t *timer);

/* The queue's again, as it came: it has not started, or its start does not count. Ends the request. */
void consumer_hand_back(struct consumer *consumer, struct request *req);
/* Decides about it anew; it must be in no list. */
void consumer_admit(struct consumer *consumer, struct request *req);
/* Starts what is ready while the pool has room. */
void consumer_pump(struct consumer *consumer);
/* Asks the back end again for everything that waits for it. */
void consumer_ask_again(struct consumer *consumer);

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
