// executor.hpp: executor.h for C++17.
#ifndef UMBEL_EXECUTOR_HPP
#define UMBEL_EXECUTOR_HPP

#include <umbel/executor.h>

#include <string>

namespace umbel
{

// The options of a mapping, by setters; see umbel_map_options.
class map_options
{
  public:
    map_options &chunk(std::size_t calls)
    {
        fields.chunk = calls;
        return *this;
    }
    map_options &ahead(std::size_t calls)
    {
        fields.ahead = calls;
        return *this;
    }
    map_options &timeout(double seconds)
    {
        fields.timeout = seconds;
        return *this;
    }
    map_options &unordered(bool on = true)
    {
        fields.unordered = on;
        return *this;
    }
    map_options &function(umbel_function *function)
    {
        fields.function = function;
        return *this;
    }
    map_options &submit(const umbel_submit_options *options)
    {
        fields.submit = options;
        return *this;
    }
    umbel_map_options fields = {};
};

} // namespace umbel

inline umbel_future *umbel_submit_call(umbel_client *client, umbel_function *function, umbel_arguments arguments,
                                       const umbel::options &options = umbel::options())
{
    return umbel_submit_call_with(client, function, arguments, &options.fields);
}

inline umbel_mapping *umbel_map(umbel_client *client, const char *task, const umbel_value *list,
                                const umbel::map_options &options = umbel::map_options())
{
    return umbel_map_with(client, task, list, &options.fields);
}
inline umbel_mapping *umbel_starmap(umbel_client *client, const char *task, const umbel_value *list,
                                    const umbel::map_options &options = umbel::map_options())
{
    return umbel_starmap_with(client, task, list, &options.fields);
}
inline umbel_mapping *umbel_map_from(umbel_client *client, const char *task,
                                     bool (*next)(void *arg, umbel_value *arguments), void *arg,
                                     const umbel::map_options &options = umbel::map_options())
{
    return umbel_map_from_with(client, task, next, arg, &options.fields);
}
// Reads the next result into *pointer; nullptr only waits.
template <class Pointer> int umbel_map_next(umbel_mapping *mapping, Pointer pointer)
{
    auto slot = umbel::make_slot(pointer);
    int code = umbel_map_next_take(mapping, slot.take());
    if (code == UMBEL_OK)
        slot.store();
    return code;
}
// Submits, waits and reads in one. As in C, what is borrowed from a result (a const char *, an umbel_str, a value) is refused.
template <class Pointer>
int umbel_apply(umbel_client *client, const char *task, umbel_arguments arguments, double timeout, Pointer pointer,
                const umbel::options &options = umbel::options())
{
    auto slot = umbel::make_slot(pointer);
    int code = umbel_apply_take(client, task, arguments, &options.fields, timeout, slot.take());
    if (code == UMBEL_OK)
        slot.store();
    return code;
}
// A text is copied. Here the code alone tells what went wrong; umbel_submit and umbel_get tell more.
inline int umbel_apply(umbel_client *client, const char *task, umbel_arguments arguments, double timeout, std::string *text,
                       const umbel::options &options = umbel::options())
{
    umbel_future *future = umbel_submit(client, task, arguments, options);
    int code = umbel_get(future, timeout, text);
    umbel_future_free(future);
    return code;
}
inline umbel_future *umbel_map_reduce(umbel_client *client, const char *map, const char *reduce, const umbel_value *list,
                                      double timeout, const umbel::options &options = umbel::options())
{
    return umbel_map_reduce_with(client, map, reduce, list, timeout, &options.fields);
}

#endif
