// client.hpp: client.h for C++17.
//
//     umbel_future *sum = umbel_submit(client, "math.add", UMBEL_ARGS(2, 3), umbel::options().queue("math").expires(60));
//     int64_t value;
//     if (umbel_get(sum, 5.0, &value)) std::cerr << umbel_error(sum) << "\n";
//     umbel_future_free(sum);
#ifndef UMBEL_CLIENT_HPP
#define UMBEL_CLIENT_HPP

#include <umbel/client.h>

namespace umbel
{

// The options of one call, by setters; see umbel_submit_options. Texts and headers are borrowed until it was submitted.
class options
{
  public:
    options &queue(const char *name)
    {
        fields.queue = name;
        return *this;
    }
    options &id(const char *id)
    {
        fields.id = id;
        return *this;
    }
    options &expires(double seconds)
    {
        fields.expires = seconds;
        return *this;
    }
    options &countdown(double seconds)
    {
        fields.countdown = seconds;
        return *this;
    }
    options &priority(int priority)
    {
        fields.priority = priority;
        return *this;
    }
    options &ignore_result(bool ignore = true)
    {
        fields.ignore_result = ignore ? UMBEL_ON : UMBEL_OFF;
        return *this;
    }
    options &headers(const umbel_value *map)
    {
        fields.headers = map;
        return *this;
    }
    options &serializer(umbel_serializer serializer)
    {
        fields.serializer = serializer;
        return *this;
    }
    options &shadow(const char *name)
    {
        fields.shadow = name;
        return *this;
    }
    options &time_limit(double seconds)
    {
        fields.time_limit = seconds;
        return *this;
    }
    options &soft_time_limit(double seconds)
    {
        fields.soft_time_limit = seconds;
        return *this;
    }
    options &transient(bool on = true)
    {
        fields.transient = on;
        return *this;
    }
    options &unconfirmed(bool on = true)
    {
        fields.unconfirmed = on;
        return *this;
    }
    options &create_queue(bool on = true)
    {
        fields.create_queue = on;
        return *this;
    }
    options &confirm(bool on = true)
    {
        fields.confirm = on;
        return *this;
    }
    options &timeout(double seconds)
    {
        fields.timeout = seconds;
        return *this;
    }
    umbel_submit_options fields = {};
};

} // namespace umbel

inline umbel_future *umbel_submit(umbel_client *client, const char *task, umbel_arguments arguments,
                                  const umbel::options &options = umbel::options())
{
    return umbel_submit_with(client, task, arguments, &options.fields);
}
inline umbel_future *umbel_submit(umbel_client *client, const std::string &task, umbel_arguments arguments,
                                  const umbel::options &options = umbel::options())
{
    return umbel_submit_with(client, task.c_str(), arguments, &options.fields);
}

inline umbel_future *umbel_submit_chunk(umbel_chunk *chunk, const umbel::options &options = umbel::options())
{
    return umbel_submit_chunk_with(chunk, &options.fields);
}

// Reads the result into *pointer; nullptr only waits.
template <class Pointer> int umbel_get(umbel_future *future, double timeout, Pointer pointer)
{
    auto slot = umbel::make_slot(pointer);
    int code = umbel_get_take(future, timeout, slot.take());
    if (code == UMBEL_OK)
        slot.store();
    return code;
}

#endif
