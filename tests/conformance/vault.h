/* vault.h: a backend whose every event is written down. */
#ifndef TESTS_VAULT_H
#define TESTS_VAULT_H

#include "broker/backend.h"
#include "driver.h"

struct vault_answer { /* of stored, found and begun */
    uint64_t token;
    int code;
    char id[64];
    char *payload; /* NUL-terminated; of found */
    size_t size;
    struct backend_history history;
    bool listened; /* of notice */
};

struct vault {
    struct backend *backend;
    struct driver *driver;
    bool inside;
    size_t revocations;   /* answers to list_revoked */
    const char *asked_id; /* of the one under way */
    double found_until;   /* of that id; 0: it was not in the list */
    int revoked_code;
    size_t read; /* answers to read_parts */
    char parts[BACKEND_PARTS_READ][32];
    size_t part_count;
    size_t up, failed, stored, found, begun, noticed, subscribed, resubscribed, closed, unasked;
    struct vault_answer *stores, *finds, *begins, *notices;
    uint64_t last_subscribed;
    char fail_why[256];
};

/* Opens and waits until it is up. `expires` as in backend_options. */
void vault_open(struct vault *vault, struct driver *driver, const struct place *place, double expires);
void vault_close(struct vault *vault);
/* Closes but keeps what was written down, until vault_close. */
void vault_shut(struct vault *vault, double grace);
bool vault_wait(struct vault *vault, const size_t *counter, size_t wanted);

/* A result map of Celery's in JSON, in `out`. */
umbel_str result_map(char out[512], const char *id, const char *state, int result);
/* Asserts that what was found is that map. */
void assert_result_map(const char *found, const char *id, const char *state, int result);
/* Does not wait. */
void vault_put(struct vault *vault, const char *id, umbel_str payload, bool terminal, const char *reply,
               uint64_t token);
/* Stores a map with that state ("SUCCESS", "FAILURE", "STARTED", ...) and answers the code. */
int vault_store(struct vault *vault, const char *id, const char *state, int result);
/* Reads one id and waits: the payload, NUL-terminated, "" when nothing is stored; valid until vault_close. */
const char *vault_find(struct vault *vault, const char *id);
/* Adds a part and answers the code. */
int vault_part(struct vault *vault, const char *id, const char *run, uint32_t number, const char *payload);
/* Reads parts from that number on into vault->parts; answers how many came. */
size_t vault_parts(struct vault *vault, const char *id, uint32_t from);
struct backend_history vault_begin(struct vault *vault, const char *id);
/* Does not wait, for there is no answer. */
void vault_revoke(struct vault *vault, const char *id, double until);
/* Until when it is revoked; 0: it is not. */
double vault_revoked(struct vault *vault, const char *id);
/* Each waits until the subscription is in force. */
void vault_listen(struct vault *vault, const char *channel);
void vault_watch(struct vault *vault, const char *id);

#endif
