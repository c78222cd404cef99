/* amqp_routes.c: see amqp_routes.h. A route is prepared by a row of errands, asked all at once; they are
 * answered in order, the first failure counts. */
#include "broker/amqp_routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/amqp_delay.h"
#include "broker/transport.h"
#include "common/str.h"

#define ROUTES_MAX 4096 /* known places; past it all but those in preparation are forgotten */

struct amqp_route {
    struct amqp_route *next;
    bool exchange, delayed;
    bool known;
    bool declares_delay;
    int steps; /* errands not answered yet */
    int code;  /* of the first that failed */
    char why[256];
    struct amqp_held *first, **last;
    size_t size;
    char name[256];
};

struct place {
    bool exchange, delayed;
    umbel_str name;
};

void amqp_routes_init(struct amqp_routes *routes, struct amqp_errands *errands,
                      const struct amqp_routes_events *events, void *self)
{
    *routes = (struct amqp_routes){.errands = errands, .events = events, .self = self};
}

/* ---- finding ---- */

static struct amqp_route **bucket_of(struct amqp_routes *routes, umbel_str name)
{
    size_t hash = name.size;
    for (size_t i = 0; i < name.size; i++)
        hash = hash * 31 + (unsigned char)name.data[i];
    return &routes->buckets[hash % AMQP_ROUTES_BUCKETS];
}

static struct amqp_route **find(struct amqp_routes *routes, struct place place)
{
    struct amqp_route **at = bucket_of(routes, place.name);
    for (; *at; at = &(*at)->next) {
        const struct amqp_route *route = *at;
        if (route->exchange == place.exchange && route->delayed == place.delayed &&
            str_equal((umbel_str){route->name, route->size}, place.name))
            break;
    }
    return at;
}

static void held_free(struct amqp_held *held)
{
    arena_fini(&held->arena);
    free(held);
}

/* Takes the route out of the table; what it holds stays with it. */
static void take_out(struct amqp_routes *routes, struct amqp_route **at)
{
    *at = (*at)->next;
    routes->count--;
}

static void forget_known(struct amqp_routes *routes)
{
    for (size_t i = 0; i < AMQP_ROUTES_BUCKETS; i++) {
        for (struct amqp_route **at = &routes->buckets[i]; *at;) {
            struct amqp_route *route = *at;
            if (route->known) {
                take_out(routes, at);
                free(route);
            } else {
                at = &route->next;
            }
        }
    }
}

void amqp_routes_forget_queue(struct amqp_routes *routes, umbel_str queue)
{
    struct amqp_route **at = find(routes, (struct place){.name = queue});
    struct amqp_route *route = *at;
    if (route && route->known) {
        take_out(routes, at);
        free(route);
    }
}

/* ---- the end of a preparation ---- */

static void let_go(struct amqp_routes *routes, struct amqp_held *held, int code, const char *why)
{
    routes->held_bytes -= held->msg.body.size;
    routes->held_count--;
    if (code)
        routes->events->refuse(routes->self, held->token, code, why);
    else
        routes->events->send(routes->self, held);
    held_free(held);
}

static void explain(const struct amqp_route *route, int *code, char *text, size_t size)
{
    bool missing = route->code == UMBEL_NOT_FOUND;
    *code = missing ? UMBEL_UNROUTABLE : route->code;
    if (missing && route->exchange)
        snprintf(text, size, "there is no exchange '%s'", route->name);
    else if (missing)
        snprintf(text, size, "no worker has created queue '%s' yet; start one or set .create_queue",
                 route->name);
    else
        snprintf(text, size, "%s", route->why);
}

/* The list is taken first: a callback may publish again, or end the connection. */
static void conclude(struct amqp_routes *routes, struct amqp_route *route)
{
    uint32_t life = routes->life;
    struct amqp_held *first = route->first;
    char why[384] = "";
    int code = 0;
    route->first = NULL;
    route->last = &route->first;
    route->known = route->code == UMBEL_OK;
    if (!route->known) {
        explain(route, &code, why, sizeof why);
        take_out(routes,
                 find(routes, (struct place){route->exchange, route->delayed, {route->name, route->size}}));
        free(route);
    }
    while (first) {
        struct amqp_held *held = first;
        first = held->next;
        if (routes->life == life)
            let_go(routes, held, code, why);
        else
            let_go(routes, held, UMBEL_BROKER_AWAY, "the connection to RabbitMQ was lost");
    }
}

static void free_all(struct amqp_routes *routes, struct amqp_held **held)
{
    struct amqp_held **last = held;
    for (size_t i = 0; i < AMQP_ROUTES_BUCKETS; i++) {
        while (routes->buckets[i]) {
            struct amqp_route *route = routes->buckets[i];
            *last = route->first;
            while (*last)
                last = &(*last)->next;
            take_out(routes, &routes->buckets[i]);
            free(route);
        }
    }
}

void amqp_routes_down(struct amqp_routes *routes, const char *why)
{
    struct amqp_held *held = NULL;
    routes->life++;
    routes->delay_known = false;
    free_all(routes, &held);
    while (held) {
        struct amqp_held *next = held->next;
        let_go(routes, held, UMBEL_BROKER_AWAY, why);
        held = next;
    }
}

/* ---- preparing ---- */

struct ask {
    struct amqp_routes *routes;
    struct amqp_route *route;
    uint32_t life;
};

static void on_step(void *self, uint64_t token, int code, uint64_t count, const char *why)
{
    (void)token, (void)count;
    struct ask *ask = self;
    struct amqp_routes *routes = ask->routes;
    struct amqp_route *route = ask->route;
    bool alive = ask->life == routes->life;
    free(ask);
    if (!alive)
        return;
    if (code && !route->code) {
        route->code = code;
        snprintf(route->why, sizeof route->why, "%s", why);
    }
    if (--route->steps > 0)
        return;
    if (!route->code && route->declares_delay)
        routes->delay_known = true;
    conclude(routes, route);
}

static int ask_step(struct amqp_routes *routes, struct amqp_route *route, struct amqp_errand_order order)
{
    struct ask *ask = malloc(sizeof *ask);
    if (!ask)
        return UMBEL_NO_MEMORY;
    *ask = (struct ask){.routes = routes, .route = route, .life = routes->life};
    order.done = on_step;
    order.self = ask;
    if (amqp_errands_ask(routes->errands, &order) != UMBEL_OK) {
        free(ask);
        return UMBEL_NO_MEMORY;
    }
    route->steps++;
    return UMBEL_OK;
}

static int ask_bind(struct amqp_routes *routes, struct amqp_route *route, const struct message *msg)
{
    umbel_str name = {route->name, route->size}, target = route->exchange ? msg->routing_key : name;
    char key[2 + 256];
    int size = snprintf(key, sizeof key, "#.%.*s", (int)target.size, target.data);
    enum amqp_errand_kind kind = route->exchange ? ERRAND_BIND_EXCHANGE : ERRAND_BIND_QUEUE;
    return ask_step(
        routes, route,
        (struct amqp_errand_order){
            .kind = kind, .name = name, .source = STR(AMQP_DELAY_EXIT), .key = {key, (size_t)size}});
}

static int ask_steps(struct amqp_routes *routes, struct amqp_route *route, const struct message *msg,
                     int flags)
{
    umbel_str name = {route->name, route->size};
    int code = UMBEL_OK;
    if (route->exchange)
        code = ask_step(routes, route, (struct amqp_errand_order){.kind = ERRAND_HAS_EXCHANGE, .name = name});
    else if (flags & PUBLISH_CREATE_QUEUE)
        code = ask_step(routes, route, (struct amqp_errand_order){.kind = ERRAND_ENSURE, .name = name});
    if (!code && route->delayed && !routes->delay_known) {
        route->declares_delay = true;
        code = ask_step(routes, route, (struct amqp_errand_order){.kind = ERRAND_DELAY});
    }
    if (!code && route->delayed)
        code = ask_bind(routes, route, msg);
    if (code && !route->code)
        route->code = code;
    return route->steps ? UMBEL_OK : code;
}

static struct amqp_route *prepare(struct amqp_routes *routes, struct place place, const struct message *msg,
                                  int flags)
{
    if (routes->count >= ROUTES_MAX)
        forget_known(routes);
    struct amqp_route *route = calloc(1, sizeof *route);
    if (!route)
        return NULL;
    route->exchange = place.exchange;
    route->delayed = place.delayed;
    route->size = place.name.size;
    route->last = &route->first;
    memcpy(route->name, place.name.data, place.name.size);
    if (ask_steps(routes, route, msg, flags) != UMBEL_OK) {
        free(route);
        return NULL;
    }
    struct amqp_route **at = bucket_of(routes, place.name);
    route->next = *at;
    *at = route;
    routes->count++;
    return route;
}

static int hold(struct amqp_routes *routes, struct amqp_route *route, const struct message *msg, double delay,
                int flags, uint64_t token)
{
    struct amqp_held *held = calloc(1, sizeof *held);
    if (!held)
        return UMBEL_NO_MEMORY;
    arena_init(&held->arena, 0);
    if (message_copy(&held->arena, &held->msg, msg) != UMBEL_OK) {
        held_free(held);
        return UMBEL_NO_MEMORY;
    }
    held->delay = delay;
    held->flags = flags;
    held->token = token;
    *route->last = held;
    route->last = &held->next;
    routes->held_bytes += msg->body.size;
    routes->held_count++;
    return UMBEL_BUSY;
}

int amqp_routes_pass(struct amqp_routes *routes, const struct message *msg, double delay, int flags,
                     uint64_t token)
{
    struct place place = {.exchange = msg->exchange.size > 0, .delayed = delay > 0};
    place.name = place.exchange ? msg->exchange : msg->queue;
    bool needs = place.exchange || place.delayed || (flags & PUBLISH_CREATE_QUEUE);
    if (!needs && routes->held_count == 0)
        return UMBEL_OK;
    if (place.name.size > UINT8_MAX)
        return UMBEL_TOO_LARGE;
    struct amqp_route *route = *find(routes, place);
    if (!route && !needs)
        return UMBEL_OK;
    if (!route)
        route = prepare(routes, place, msg, flags);
    if (!route)
        return UMBEL_NO_MEMORY;
    return route->known ? UMBEL_OK : hold(routes, route, msg, delay, flags, token);
}
