// generic.hpp: generic.h for C++17: the same names, made of templates.
//
// std::string, std::string_view and std::optional may be given; std::string may be taken. What is given is borrowed:
// UMBEL_ARGS(...) must be used in the expression that makes it, as in umbel_submit(client, "math.add", UMBEL_ARGS(2, 3)).
#ifndef UMBEL_GENERIC_HPP
#define UMBEL_GENERIC_HPP

#include <umbel/value.h>

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace umbel
{

// ---- giving -----------------------------------------------------------------------------------------------------

inline umbel_give give(std::nullptr_t)
{
    return umbel_null();
}
inline umbel_give give(umbel_give cell)
{
    return cell;
}
inline umbel_give give(const char *text)
{
    return umbel_give_text(text);
}
inline umbel_give give(umbel_str text)
{
    return umbel_give_str(text);
}
inline umbel_give give(std::string_view text)
{
    return umbel_give_str(umbel_str{text.data() ? text.data() : "", text.size()});
}
inline umbel_give give(const std::string &text)
{
    return give(std::string_view(text));
}
inline umbel_give give(const umbel_value *value)
{
    return umbel_give_value(value);
}
inline umbel_give give(umbel_value *value)
{
    return umbel_give_value(value);
}
template <class Number, std::enable_if_t<std::is_arithmetic_v<Number>, int> = 0> umbel_give give(Number number)
{
    if constexpr (std::is_same_v<Number, bool>)
        return umbel_give_bool(number);
    else if constexpr (std::is_floating_point_v<Number>)
        return umbel_give_double(static_cast<double>(number));
    else if constexpr (std::is_signed_v<Number>)
        return umbel_give_int(static_cast<long long>(number));
    else
        return umbel_give_uint(static_cast<unsigned long long>(number));
}
template <class Value> umbel_give give(const std::optional<Value> &value)
{
    return value ? give(*value) : umbel_null();
}

// The arguments of one call; see UMBEL_ARGS.
template <std::size_t count> struct arguments {
    umbel_give gives[count + 1]; // one more, so that none at all is an array too
    operator umbel_arguments() const
    {
        return umbel_arguments{gives, count};
    }
};

template <class... Values> arguments<sizeof...(Values)> args(const Values &...values)
{
    return arguments<sizeof...(Values)>{{give(values)..., umbel_null()}};
}

// ---- taking -----------------------------------------------------------------------------------------------------

// clang-format off
inline umbel_take cell(bool *to) { return umbel_take_bool(to); }
inline umbel_take cell(signed char *to) { return umbel_take_schar(to); }
inline umbel_take cell(short *to) { return umbel_take_short(to); }
inline umbel_take cell(int *to) { return umbel_take_int(to); }
inline umbel_take cell(long *to) { return umbel_take_long(to); }
inline umbel_take cell(long long *to) { return umbel_take_llong(to); }
inline umbel_take cell(unsigned char *to) { return umbel_take_uchar(to); }
inline umbel_take cell(unsigned short *to) { return umbel_take_ushort(to); }
inline umbel_take cell(unsigned int *to) { return umbel_take_uint(to); }
inline umbel_take cell(unsigned long *to) { return umbel_take_ulong(to); }
inline umbel_take cell(unsigned long long *to) { return umbel_take_ullong(to); }
inline umbel_take cell(float *to) { return umbel_take_float(to); }
inline umbel_take cell(double *to) { return umbel_take_double(to); }
inline umbel_take cell(const char **to) { return umbel_take_text(to); }
inline umbel_take cell(umbel_str *to) { return umbel_take_str(to); }
inline umbel_take cell(const umbel_value **to) { return umbel_take_value(to); }
// clang-format on

// Where one value goes to. `take` is asked before the call, `store` told after it succeeded.
template <class Value> struct slot {
    Value *to;
    const char *name = nullptr;
    bool optional = false;
    umbel_take take()
    {
        return umbel_take_named(name, optional, cell(to));
    }
    void store()
    {
    }
};

template <> struct slot<std::string> {
    std::string *to;
    const char *name = nullptr;
    bool optional = false;
    umbel_str held = {nullptr, 0};
    umbel_take take()
    {
        return umbel_take_named(name, optional, umbel_take_str(&held));
    }
    void store()
    {
        if (held.data) // an optional one that is absent leaves the string as it is
            to->assign(held.data, held.size);
    }
};

struct slot_of_cell {
    umbel_take held;
    umbel_take take()
    {
        return held;
    }
    void store()
    {
    }
};

template <class Value> slot<Value> make_slot(Value *to)
{
    slot<Value> made{};
    made.to = to;
    return made;
}
template <class Value> slot<Value> make_slot(slot<Value> named)
{
    return named;
}
inline slot_of_cell make_slot(umbel_take take)
{
    return slot_of_cell{take};
}
inline slot_of_cell make_slot(std::nullptr_t)
{
    return slot_of_cell{umbel_take_none(nullptr)};
}

template <class Value> slot<Value> make_named(const char *name, Value *to, bool optional)
{
    slot<Value> made = make_slot(to);
    made.name = name;
    made.optional = optional;
    return made;
}

} // namespace umbel

// A parameter that may also be given by name; the second may be left out, its variable then keeps what it held.
template <class Value> umbel::slot<Value> umbel_named(const char *name, Value *to)
{
    return umbel::make_named(name, to, false);
}
template <class Value> umbel::slot<Value> umbel_optional(const char *name, Value *to)
{
    return umbel::make_named(name, to, true);
}

// One named argument of a call: UMBEL_ARGS(2, umbel_kwarg("scale", 3)). Named ones come last.
template <class Value> umbel_give umbel_kwarg(const char *name, const Value &value)
{
    return umbel_give_named(name, umbel::give(value));
}

#define UMBEL_ARGS(...) ::umbel::args(__VA_ARGS__)
#define UMBEL_GIVE(value) ::umbel::give(value)
#define UMBEL_TAKE(pointer) ::umbel::make_slot(pointer).take()

#endif
