/* tour_values.c: every call of value.h, on one value that is built, written as JSON, read back and walked. No
 * broker. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbel.h>

static umbel_value *build(void)
{
    umbel_value *root = umbel_map_new();
    umbel_add_null(root, "nothing");
    umbel_add_bool(root, "yes", true);
    umbel_add_int(root, "count", 42);
    umbel_add_double(root, "ratio", 0.5);
    umbel_add_str(root, "name", "Umbel");
    umbel_add_strn(root, "part", (umbel_str){"flowering", 6});
    umbel_value *list = umbel_add_list(root, "list"), *map = umbel_add_map(root, "map");
    umbel_add_int(list, NULL, 1);
    umbel_add_value(map, "copy", list);
    if (umbel_add_int(list, "key", 1) != UMBEL_BAD_TYPE) /* a list has no keys */
        printf("a list took a key\n");
    return root;
}

static void show(const umbel_value *value)
{
    bool yes = false;
    double ratio = 0;
    int64_t count = 0;
    umbel_str name = {"", 0};
    umbel_value_bool(umbel_value_find(value, "yes"), &yes);
    umbel_value_int(umbel_value_find(value, "count"), &count);
    umbel_value_double(umbel_value_find(value, "ratio"), &ratio);
    umbel_value_str(umbel_value_find(value, "name"), &name);
    printf("%d %d %g %s\n", yes, (int)count, ratio, name.data);
    for (size_t i = 0; i < umbel_value_count(value); i++)
        printf("%s is of kind %d\n", umbel_value_key(value, i).data,
               (int)umbel_value_kind(umbel_value_at(value, i)));
}

int main(void)
{
    umbel_value *root = build(), *again = NULL;
    char *json = umbel_value_json(root);
    printf("%s\n", json);
    int code = umbel_value_parse(json, strlen(json), &again);
    if (code == UMBEL_OK)
        show(again);
    umbel_value *bytes = umbel_list_new();
    umbel_add_bytes(bytes, NULL, "\x00\x01", 2);
    printf("%zu\n", umbel_value_count(bytes));
    umbel_value_free(bytes);
    umbel_value_free(again);
    umbel_value_free(root);
    free(json);
    return code;
}
