/* node_name.h: a worker's name, from Celery's pattern: %h host, %n name, %d domain, %% percent. Pure. */
#ifndef WORKER_NODE_NAME_H
#define WORKER_NODE_NAME_H

#include <stddef.h>

#define NODE_NAME_MAX 200

/* "umbel@%h" on host "box.example.org" is "umbel@box.example.org"; %n is the first label of the host, %d the
 * rest. A pattern without '@' gets "@%h". UMBEL_OK, or UMBEL_BAD_ARGUMENT: an unknown %x, a control character
 * or blank, or too long. */
int node_name_expand(char out[NODE_NAME_MAX], const char *pattern, const char *host);

#endif
