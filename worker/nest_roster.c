/* nest_roster.c: see nest_roster.h. The table holds one ticket per id, the others hang behind it. */
#include "worker/nest_roster.h"

#include <stdlib.h>
#include <string.h>
#include <umbel/error.h>

void nest_roster_init(struct nest_roster *roster)
{
    table_init(&roster->table);
}

void nest_roster_fini(struct nest_roster *roster)
{
    table_fini(&roster->table);
}

struct nest_ticket *nest_roster_find(const struct nest_roster *roster, umbel_str id)
{
    return (struct nest_ticket *)table_find(&roster->table, id);
}

static void join_line(struct nest_tickets *line, struct nest_ticket *ticket)
{
    ticket->of = line;
    ticket->next = line->newest;
    *(line->newest ? &line->newest->prev : &line->oldest) = ticket;
    line->newest = ticket;
    line->count++;
}

static void leave_line(struct nest_ticket *ticket)
{
    struct nest_tickets *line = ticket->of;
    *(ticket->prev ? &ticket->prev->next : &line->newest) = ticket->next;
    *(ticket->next ? &ticket->next->prev : &line->oldest) = ticket->prev;
    line->count--;
}

static struct nest_ticket *ticket_new(umbel_str id)
{
    struct nest_ticket *ticket = calloc(1, sizeof *ticket + id.size + 1);
    if (!ticket)
        return NULL;
    memcpy(ticket->id, id.data, id.size);
    ticket->node.key = (umbel_str){ticket->id, id.size};
    return ticket;
}

bool nest_roster_add(struct nest_roster *roster, struct nest_tickets *line, umbel_str id, bool watched)
{
    struct nest_ticket *head = nest_roster_find(roster, id);
    for (struct nest_ticket *at = head; at; at = at->same) {
        if (at->of == line) {
            at->watched |= watched;
            return true;
        }
    }
    struct nest_ticket *ticket = id.size ? ticket_new(id) : NULL;
    if (!ticket)
        return false;
    if (head) {
        ticket->same = head->same;
        head->same = ticket;
    } else if (table_add(&roster->table, &ticket->node) != UMBEL_OK) {
        free(ticket);
        return false;
    }
    ticket->watched = watched;
    join_line(line, ticket);
    if (line->count > NEST_TICKETS_MAX)
        nest_roster_drop(roster, line->oldest);
    return true;
}

void nest_roster_drop(struct nest_roster *roster, struct nest_ticket *ticket)
{
    struct nest_ticket *head = nest_roster_find(roster, ticket->node.key);
    leave_line(ticket);
    if (head == ticket) {
        table_remove(&roster->table, &ticket->node);
        if (ticket->same && table_add(&roster->table, &ticket->same->node) != UMBEL_OK) {
            /* out of memory: the rest is heard of late */
            for (struct nest_ticket *at = ticket->same, *next; at; at = next) {
                next = at->same;
                leave_line(at);
                free(at);
            }
        }
    } else {
        while (head->same != ticket)
            head = head->same;
        head->same = ticket->same;
    }
    free(ticket);
}

bool nest_roster_watched(const struct nest_roster *roster, umbel_str id, const struct nest_tickets *but)
{
    for (struct nest_ticket *at = nest_roster_find(roster, id); at; at = at->same)
        if (at->watched && at->of != but)
            return true;
    return false;
}
