// executor.hpp: executor.h for C++17.
#ifndef UMBEL_EXECUTOR_HPP
#define UMBEL_EXECUTOR_HPP

#include <umbel/executor.h>

inline umbel_future *umbel_submit_call(umbel_client *client, umbel_function *function, umbel_arguments arguments,
                                       const umbel::options &options = umbel::options())
{
    return umbel_submit_call_with(client, function, arguments, &options.fields);
}

#endif
