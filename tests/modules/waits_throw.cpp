// waits_throw.cpp: exceptions in flight while coroutines take turns: each has its own.
#include <stdexcept>
#include <string>
#include <umbel.h>

struct Carrier {
    std::string word;
    double first, then;
    bool good = false;
};

// Waits inside a handler, and throws the same exception again.
static void carry(umbel_task *task, Carrier &carrier)
{
    try {
        throw std::runtime_error(carrier.word);
    } catch (const std::exception &) {
        umbel_sleep(task, carrier.first);
        try {
            throw std::logic_error("inner " + carrier.word);
        } catch (const std::exception &) {
            umbel_sleep(task, carrier.then);
        }
        throw;
    }
}

static int carry_all(umbel_task *task, void *argument)
{
    Carrier &carrier = *static_cast<Carrier *>(argument);
    carrier.good = true;
    for (int i = 0; i < 20; i++) {
        try {
            carry(task, carrier);
            carrier.good = false;
        } catch (const std::exception &error) {
            carrier.good = carrier.good && error.what() == carrier.word;
        }
    }
    return 0;
}

UMBEL_TASK(waits_throw, "waits.throw")
{
    Carrier carriers[] = {{"one", 0.001, 0}, {"two", 0, 0.001}, {"three", 0.002, 0.001}};
    umbel_coroutine *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = umbel_spawn(task, carry_all, &carriers[i]);
    try {
        throw std::runtime_error("mine");
    } catch (const std::exception &error) {
        for (auto *one : all)
            umbel_join(task, one, -1, nullptr);
        if (std::string(error.what()) != "mine")
            throw std::logic_error("the task's own was mixed up");
    }
    for (const auto &carrier : carriers)
        if (!carrier.good)
            throw std::logic_error("mixed up: " + carrier.word);
    umbel_return(task, "good");
}
