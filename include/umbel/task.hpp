// task.hpp: task.h for C++17. An exception that leaves a task is its failure, with the exception's type and what().
//
//     UMBEL_TASK(add, "math.add", umbel::task_options().time_limit(5))
//     {
//         int64_t x, y;
//         if (umbel_args(task, &x, &y)) return;
//         umbel_return(task, x + y);
//     }
#ifndef UMBEL_TASK_HPP
#define UMBEL_TASK_HPP

#include <umbel/task.h>

#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <typeinfo>

namespace umbel
{

// The defaults of a task, by setters; see umbel_task_options.
class task_options
{
  public:
    constexpr task_options() = default;
    constexpr task_options &time_limit(double seconds)
    {
        fields.time_limit = seconds;
        return *this;
    }
    constexpr task_options &soft_time_limit(double seconds)
    {
        fields.soft_time_limit = seconds;
        return *this;
    }
    constexpr task_options &acks(umbel_acks acks)
    {
        fields.acks = acks;
        return *this;
    }
    constexpr task_options &ignore_result(bool ignore = true)
    {
        fields.ignore_result = ignore ? UMBEL_ON : UMBEL_OFF;
        return *this;
    }
    constexpr task_options &max_retries(int retries)
    {
        fields.max_retries = retries;
        return *this;
    }
    constexpr task_options &max_deaths(int deaths)
    {
        fields.max_deaths = deaths;
        return *this;
    }
    constexpr task_options &queue(const char *name)
    {
        fields.queue = name;
        return *this;
    }
    umbel_task_options fields = {};
};

constexpr umbel_task_options fields_of(const task_options &options = task_options())
{
    return options.fields;
}

// "shop.OutOfStock" of shop::OutOfStock: dots, as every other language on the wire writes it.
inline std::string type_name(const std::type_info &type)
{
    int status = 0;
    char *plain = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
    std::string name = status == 0 && plain ? plain : type.name();
    std::free(plain);
    for (std::size_t at; (at = name.find("::")) != std::string::npos;)
        name.replace(at, 2, ".");
    return name;
}

inline void run(umbel_task *task, void (*body)(umbel_task *task))
{
    try {
        body(task);
    } catch (const std::exception &error) {
        umbel_fail(task, type_name(typeid(error)).c_str(), "%s", error.what());
    } catch (const abi::__forced_unwind &) {
        throw; // the thread is being cancelled: not an error of the task
    } catch (...) {
        const std::type_info *type = abi::__cxa_current_exception_type();
        umbel_fail(task, type ? type_name(*type).c_str() : "Exception", "thrown by the task");
    }
}

} // namespace umbel

#define UMBEL_TASK(symbol, task_name, ...)                                                                   \
    static void umbel_body_##symbol(umbel_task *task);                                                       \
    static void umbel_run_##symbol(umbel_task *task)                                                         \
    {                                                                                                        \
        ::umbel::run(task, umbel_body_##symbol);                                                             \
    }                                                                                                        \
    static constexpr umbel_task_def umbel_def_##symbol = {sizeof(umbel_task_def), (task_name), umbel_run_##symbol, \
                                                          ::umbel::fields_of(__VA_ARGS__)};                  \
    static const umbel_task_def *const umbel_ref_##symbol UMBEL_IN_SECTION("umbel_tasks") = &umbel_def_##symbol; \
    static void umbel_body_##symbol(umbel_task *task)

template <class... Pointers> int umbel_args(umbel_task *task, Pointers... pointers)
{
    auto slots = std::make_tuple(umbel::make_slot(pointers)...);
    return std::apply(
        [task](auto &...slot) {
            const umbel_take takes[] = {slot.take()..., umbel_take_none(nullptr)};
            int code = umbel_args_take(task, takes, sizeof...(slot));
            if (code == UMBEL_OK)
                (slot.store(), ...);
            return code;
        },
        slots);
}

template <class Value> int umbel_return(umbel_task *task, const Value &value)
{
    return umbel_return_give(task, umbel::give(value));
}

template <class Value> int umbel_progress(umbel_task *task, const Value &value)
{
    return umbel_progress_give(task, umbel::give(value));
}

#endif
