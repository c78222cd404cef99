# manuals.awk: section 3 of the manual, from the comments of the public headers.
#     awk -v out=FOLDER -f scripts/manuals.awk include/umbel/error.h include/umbel/*.h
#
# A comment and the functions right below it are one page, named after the first; the others, and the macro that takes
# a function's _with, _take or _give away, lead there. A function with a comment on its own line has a page of its own.
# The comment at a header's beginning is the page umbel-HEADER(7). error.h comes first: it tells what the codes mean.

function escaped(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    return text ~ /^[.']/ ? "\\&" text : text
}

# Comment text as roff: an empty line begins a paragraph, lines indented by four are an example.
function body(text, file,    lines, count, i, example) {
    example = 0
    count = split(text, lines, "\n")
    for (i = 1; i <= count; i++) {
        if ((lines[i] ~ /^    /) != example && lines[i] !~ /^[ \t]*$/) {
            example = !example
            print (example ? ".PP\n.RS 4\n.EX" : ".EE\n.RE\n.PP") > file
        }
        if (lines[i] ~ /^[ \t]*$/) {
            if (example) print "" > file
            else if (i < count && lines[i + 1] !~ /^    /) print ".PP" > file
        } else
            print escaped(example ? substr(lines[i], 5) : lines[i]) > file
    }
    if (example)
        print ".EE\n.RE" > file
}

function first_sentence(text,    at) {
    sub(/\n *\n.*$/, "", text)
    gsub(/\n/, " ", text)
    at = match(text, /(\.( |$)|[;:] )/)
    if (at > 4) text = substr(text, 1, at - 1)
    sub(/[.;:, ]+$/, "", text)
    return text
}

function title(name, section, file) {
    print ".TH " escaped(name) " " section " \"\" \"Umbel " version "\" \"Umbel\"" > file
}

function errors(text, file,    word, some) {
    while (match(text, /UMBEL_[A-Z_]+/)) {
        word = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        if (word == "UMBEL_OK" || !(word in meaning) || (word in some)) continue
        if (!some[0]++) print ".SH ERRORS\nWhat the codes that are named here mean:" > file
        some[word] = 1
        print ".TP\n.B " escaped(word) "\n" escaped(meaning[word]) > file
    }
    delete some
}

# The structs of options that the functions of a page take, with what is said of each member.
function structs(n, file,    i, name, lines, count, j, some) {
    for (i = 1; i <= page_size[n]; i++)
        for (name in struct_text) {
            if (!(page[n, i] ~ (name " \\*")) || (name in some)) continue
            if (!some[0]++) print ".SH STRUCTS" > file
            some[name] = 1
            print ".EX" > file
            count = split(struct_text[name], lines, "\n")
            for (j = 1; j < count; j++) print escaped(lines[j]) > file
            print ".EE" > file
        }
    delete some
}

function name_of(prototype) {
    match(prototype, /umbel_[a-z0-9_]+\(/)
    return substr(prototype, RSTART, RLENGTH - 1)
}

function short_of(name) {
    if (name !~ /_(with|take|give)$/) return ""
    sub(/_(with|take|give)$/, "", name)
    return name
}

function lead(from, to) {
    print ".so man3/" to ".3" > (out "/man3/" from ".3")
    close(out "/man3/" from ".3")
}

function keep() {
    if (count_of_group) {
        pages++
        page_text[pages] = text_of_group
        page_size[pages] = count_of_group
        for (i = 1; i <= count_of_group; i++) page[pages, i] = group[i]
        page_topic[pages] = topic
    }
    count_of_group = 0
}

function add(prototype,    trailing, at) {
    sub(/^.*UMBEL_API /, "", prototype)
    if (at = index(prototype, "/*")) {
        trailing = substr(prototype, at + 2)
        sub(/ *\*\/.*$/, "", trailing)
        sub(/^ */, "", trailing)
        prototype = substr(prototype, 1, at - 1)
    }
    sub(/ *UMBEL_PRINTF\([^)]*\)/, "", prototype)
    gsub(/[ \t\n]+/, " ", prototype)
    sub(/ *$/, "", prototype)
    if (trailing != "") {
        pages++
        page_text[pages] = toupper(substr(trailing, 1, 1)) substr(trailing, 2) "."
        page_size[pages] = 1
        page[pages, 1] = prototype
        page_topic[pages] = topic
    } else
        group[++count_of_group] = prototype
    known[topic] = known[topic] " " name_of(prototype)
}

# ---- reading ----------------------------------------------------------------------------------------------------------

FNR == 1 {
    keep()
    topic = FILENAME
    sub(/^.*\//, "", topic)
    sub(/\.h$/, "", topic)
    topics[++topic_count] = topic
    comment = text_of_group = ""
    inside = 0
}
/^#define UMBEL_VERSION "/ { version = $3; gsub(/"/, "", version) }
/^ *X\([A-Z_]+, [0-9]+, "/ {
    word = $1
    gsub(/^X\(|,$/, "", word)
    line = $0
    sub(/^[^"]*"/, "", line)
    sub(/".*$/, "", line)
    meaning["UMBEL_" word] = line
}
/^typedef struct umbel_[a-z_]*(options|end) \{/ { struct = $3; struct_text[struct] = "" }
struct != "" {
    struct_text[struct] = struct_text[struct] $0 "\n"
    if (/^}/) struct = ""
    next
}
/^#define umbel_[a-z_]+\(/ {
    word = substr($0, 9)
    sub(/\).*$/, ")", word)
    name = word
    sub(/\(.*$/, "", name)
    macro[name] = word
}
/^\/\*/ && !/^\/\* ----/ { keep(); inside = 1; comment = "" }
inside {
    line = $0
    done = line ~ /\*\//
    sub(/^\/\* ?/, "", line)
    sub(/ *\*\/.*$/, "", line)
    sub(/^ \* ?/, "", line)
    comment = comment (comment == "" ? "" : "\n") line
    if (done) {
        inside = 0
        if (!(topic in about)) about[topic] = comment
        text_of_group = comment
    }
    next
}
/^UMBEL_API/ || open != "" {
    open = open (open == "" ? "" : " ") $0
    if (open ~ /;/) {
        add(open)
        open = ""
    }
    next
}
/^[ \t]*$/ || /^UMBEL_(BEGIN|END)/ || /^typedef/ { keep(); if (!/^[ \t]*$/) text_of_group = "" }

# ---- writing ----------------------------------------------------------------------------------------------------------

function write_page(n,    i, name, first, file, short, names) {
    first = short_of(name_of(page[n, 1]))
    if (!(first in macro)) first = name_of(page[n, 1])
    file = out "/man3/" first ".3"
    title(first, 3, file)
    for (i = 1; i <= page_size[n]; i++) {
        name = name_of(page[n, i])
        short = short_of(name)
        if (short in macro) names = names ", " short
        names = names ", " name
        if (short in macro && short != first) lead(short, first)
        if (name != first) lead(name, first)
    }
    print ".SH NAME\n" escaped(substr(names, 3)) " \\- " escaped(first_sentence(page_text[n])) > file
    print ".SH SYNOPSIS\n.nf\n.B #include <umbel.h>\n" > file
    for (i = 1; i <= page_size[n]; i++) {
        name = name_of(page[n, i])
        print ".BI \"" escaped(page[n, i]) "\"" > file
        if (short_of(name) in macro) print ".BI \"" escaped(macro[short_of(name)]) ";\"" > file
    }
    print ".fi\n.SH DESCRIPTION" > file
    body(page_text[n], file)
    for (i = 1; i <= page_size[n]; i++)
        if (short_of(name_of(page[n, i])) in macro) {
            print ".PP\nThe shorter names are macros in C and templates in C++." > file
            print "They take the options as designated initialisers, and any type of value." > file
            break
        }
    structs(n, file)
    errors(page_text[n], file)
    print ".SH SEE ALSO\n.BR umbel\\-" page_topic[n] " (7)," > file
    print ".BR umbel (1)" > file
    close(file)
}

function write_topic(topic,    file, text, names, count, i) {
    if (known[topic] == "") return
    file = out "/man7/umbel-" topic ".7"
    text = about[topic]
    sub(/^[a-z]+\.h: */, "", text)
    title("umbel-" topic, 7, file)
    print ".SH NAME\numbel\\-" topic " \\- " escaped(first_sentence(text)) > file
    print ".SH SYNOPSIS\n.B #include <umbel.h>\n.SH DESCRIPTION" > file
    body(text, file)
    print ".SH SEE ALSO" > file
    count = split(substr(known[topic], 2), names, " ")
    for (i = 1; i <= count; i++) print ".BR " names[i] " (3)" (i < count ? "," : "") > file
    close(file)
}

END {
    keep()
    for (n = 1; n <= pages; n++) write_page(n)
    for (n = 1; n <= topic_count; n++) write_topic(topics[n])
}
