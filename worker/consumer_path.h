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

#endif
