/* station.h: a transport whose every event is written down. */
#ifndef TESTS_STATION_H
#define TESTS_STATION_H

#include "broker/transport.h"
#include "driver.h"

struct answer {
    uint64_t token;
    int code;
    uint64_t messages; /* of counted */
};

struct arrival {
    struct tag tag;
    struct message msg; /* a copy, in the station's arena */
    double at;          /* monotonic */
    bool garbled;
};

/* Its id as a number, such as station_fill gives. */
int arrival_id(const struct arrival *arrival);

/* Answered to a delivery as it comes; ON_ARRIVAL_KEEP leaves it to the test. */
enum on_arrival { ON_ARRIVAL_KEEP, ON_ARRIVAL_ACK };

struct station {
    struct transport *transport;
    struct driver *driver;
    struct arena arena;
    enum on_arrival on_arrival;
    bool inside; /* a call of ours is running: no event may come now */
    size_t up, failed, published, arrived, lost, disowned, consuming, cancelled, room, counted, closed;
    struct answer *answers; /* of published */
    struct arrival *arrivals;
    struct answer count; /* the last one counted */
    int fail_code, lost_code;
    char fail_why[256];
    uint32_t last_consuming, last_cancelled;
    uint64_t waiting; /* what the last `consuming` said */
    size_t unasked;   /* events that came from inside a call */
};

/* Opens and waits until it is up. */
void station_open(struct station *station, struct driver *driver, const char *url);
/* As it is, not waiting; answers transport_open's code. */
int station_try(struct station *station, struct driver *driver, const char *url, struct buffer *why);
/* Closes, waits for `closed`, forgets everything written down. */
void station_close(struct station *station);
/* The same but keeps what was written down, until station_close. */
void station_shut(struct station *station, double grace);

/* A message with a task, an id and a body to `queue`; the strings are borrowed. */
struct message letter(const char *queue, const char *id, umbel_str body);
/* Publishes, retrying while it is busy; the transport's answer must be UMBEL_OK. */
void station_send(struct station *station, const struct message *msg, double delay, int flags,
                  uint64_t token);
/* Publishes `count` letters "0", "1", ... and waits until all are confirmed with UMBEL_OK. */
void station_fill(struct station *station, const char *queue, size_t count);
/* Consumes with create_queue and waits until it does. */
uint32_t station_consume(struct station *station, const char *queue, uint32_t prefetch);
void station_settle(struct station *station, size_t arrival, enum settle how);
/* Waits for the answer. */
uint64_t station_count(struct station *station, const char *queue);
/* Asks until the number is right, for acknowledgements travel beside counts; false: it never was. */
bool station_counts(struct station *station, const char *queue, uint64_t wanted);
bool station_wait(struct station *station, const size_t *counter, size_t wanted);

#endif
