/* dead_page.h: dead letters as a person reads them. Peers wrote what is in them: nothing of it can steer a
 * terminal. */
#ifndef CLIENT_DEAD_PAGE_H
#define CLIENT_DEAD_PAGE_H

#include "client/dead_letters.h"

/* Stands for an id or a name that a letter does not have. */
#define DEAD_PAGE_NOTHING "-"

/* A table with a line for each; nothing when there is none. */
void dead_page_list(const struct dead_letter *first);
/* Every property and header, the error, and the body as JSON where it can be read. */
void dead_page_show(const struct message *msg);

#endif
