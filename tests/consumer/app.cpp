// app.cpp: app.c as a C++17 programmer writes it.
#include <iostream>
#include <stdexcept>
#include <string>
#include <umbel.h>

namespace shop
{
struct OutOfStock : std::runtime_error {
    using std::runtime_error::runtime_error;
};
} // namespace shop

UMBEL_TASK(add, "math.add", umbel::task_options().time_limit(5).acks(UMBEL_AT_MOST_ONCE))
{
    int64_t x, y = 1;
    std::string unit;
    if (umbel_args(task, &x, umbel_named("y", &y), umbel_optional("unit", &unit)))
        return;
    umbel_return(task, unit.empty() ? std::to_string(x + y) : unit);
}

UMBEL_TASK(buy, "shop.buy")
{
    if (umbel_args(task))
        return;
    umbel_log(task, "buying %d", 1);
    throw shop::OutOfStock("none left");
}

static bool call(umbel_client *client)
{
    std::string text = "m";
    umbel_future *sum = umbel_submit(client, "math.add", UMBEL_ARGS(2, 3u, text, nullptr, 2.5, UMBEL_FALSE, umbel_kwarg("z", true)),
                                     umbel::options().create_queue().confirm().expires(60));
    int64_t value = 0;
    std::string same;
    bool good = umbel_get(sum, 0.05, &value) == UMBEL_TIMEOUT && umbel_get(sum, 0, &same) == UMBEL_TIMEOUT &&
                umbel_future_state(sum) == UMBEL_STATE_ACCEPTED;
    if (!good)
        std::cerr << umbel_error(sum) << "\n";
    umbel_future_free(sum);
    umbel_future_free(umbel_submit(client, std::string("nothing"), UMBEL_ARGS()));
    return good && umbel_flush(client, 5) == UMBEL_OK;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return umbel_main(argc, argv);
    umbel_client *client = umbel_connect("memory://consumer", nullptr);
    bool good = client && call(client);
    return umbel_close(client, 5) != UMBEL_OK || !good;
}
