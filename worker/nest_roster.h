/* nest_roster.h: which line waits for the result of which task. Several may wait for one, as when a task
 * hands the id of a call on. What is lost here is only late: a client looks up what it does not hear of. */
#ifndef WORKER_NEST_ROSTER_H
#define WORKER_NEST_ROSTER_H

#include "broker/table.h"

/* Waits of one line at most; then its oldest is forgotten. */
#define NEST_TICKETS_MAX 100000

struct nest_ticket {
    struct table_node node;          /* key: the id */
    struct nest_ticket *same;        /* of another line, for the same id */
    struct nest_ticket *next, *prev; /* of this line, newest first */
    struct nest_tickets *of;
    bool watched; /* the backend was asked for notices of this very task */
    char id[];
};

/* Of one line. */
struct nest_tickets {
    struct nest_ticket *newest, *oldest;
    size_t count;
};

struct nest_roster {
    struct table table;
};

void nest_roster_init(struct nest_roster *roster);
void nest_roster_fini(struct nest_roster *roster);
/* One more wait of the line; a second one for the same id is the same. False: memory is out. */
bool nest_roster_add(struct nest_roster *roster, struct nest_tickets *line, umbel_str id, bool watched);
/* The first that waits for it; the others follow in `same`. NULL: nobody does. */
struct nest_ticket *nest_roster_find(const struct nest_roster *roster, umbel_str id);
void nest_roster_drop(struct nest_roster *roster, struct nest_ticket *ticket);
/* Does any line but this one watch it? */
bool nest_roster_watched(const struct nest_roster *roster, umbel_str id, const struct nest_tickets *but);

#endif
