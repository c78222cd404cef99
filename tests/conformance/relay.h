/* relay.h: a TCP relay on the test's own loop, in front of a server: it can be cut, be down, or fall silent.
 */
#ifndef TESTS_RELAY_H
#define TESTS_RELAY_H

#include "common/loop.h"

struct relay_pair;

struct relay {
    struct loop *loop;
    uv_tcp_t listener;
    struct relay_pair *pairs;
    int port, target_port;
    bool down;   /* accepts and closes at once */
    bool silent; /* accepts and reads, passes nothing on */
    size_t accepted;
    size_t cut_after; /* bytes towards the server after which everything is cut, once; 0 = never */
    size_t passed;
};

void relay_open(struct relay *relay, struct loop *loop, int target_port);
void relay_cut(struct relay *relay);
/* Only the connection that has been there longest. */
void relay_cut_oldest(struct relay *relay);
void relay_close(struct relay *relay);

#endif
