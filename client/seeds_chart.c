/* seeds_chart.c: both experiments as an SVG picture: a bar for each way, and a grey one for the seeds'
 * figure.
 *
 * Everything is placed here in pixels, so that it looks the same wherever SVG is shown; colours are classes,
 * with a second set for who prefers the dark. Downloads are drawn on a logarithmic scale, for 930 coroutines
 * are a hundred times the rest; it begins below 1 so that a speed-up of 1 has a bar too. */
#include <math.h>
#include "client/seeds.h"

enum {
    WIDTH = 880,
    MARGIN = 32,
    LABELS = 220, /* where bars begin */
    BARS = 540,   /* how long the longest can be */
    HEAD = 92,
    TITLE = 62, /* of a panel, above its first row */
    ROW = 44,
    BAR = 15,
    AXIS = 58, /* below a panel's last row */
    PANEL = TITLE + SEEDS_WAYS * ROW + AXIS,
    HEIGHT = HEAD + SEEDS_WORKS * PANEL
};

static const char style[] =
    "<style>\n"
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','DejaVu Sans',sans-serif;"
    "font-size:13px;fill:#1f2328}\n"
    ".title{font-size:20px;font-weight:600}.work{font-size:16px;font-weight:600}\n"
    ".quiet{font-size:12px;fill:#656d76}.value{font-weight:600}\n"
    ".page{fill:#ffffff}.grid{stroke:#e6e9ed}.base{stroke:#8c959f}\n"
    ".umbel{fill:#2563c9}.seeds{fill:#b6bec8}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#e6edf3}.quiet{fill:#9aa4af}.page{fill:#0d1117}.grid{stroke:#252c35}.base{stroke:#6b7580}\n"
    ".umbel{fill:#6aa5ff}.seeds{fill:#4b5562}}\n"
    "</style>\n";

struct scale {
    bool logarithmic;
    double least, most;
};

static double length_of(const struct scale *scale, double value)
{
    double part = scale->logarithmic ? log(value / scale->least) / log(scale->most / scale->least)
                                     : (value - scale->least) / (scale->most - scale->least);
    return BARS * fmin(fmax(part, 0), 1);
}

/* The next tick at or above: 1, 2 and 5 times a power of ten, or quarters of a small number. */
static double next_tick(const struct scale *scale, double after)
{
    if (!scale->logarithmic)
        return after + (scale->most > 5 ? 1 : 0.5);
    double ten = pow(10, floor(log10(after * 1.0001)));
    double digit = round(after / ten);
    return digit < 2 ? 2 * ten : digit < 5 ? 5 * ten : 10 * ten;
}

static struct scale scale_of(const struct seeds_work *work, const struct seeds_score *scores)
{
    struct scale scale = {.logarithmic = work->logarithmic, .least = work->logarithmic ? 0.5 : 0};
    double most = 1.5;
    for (size_t way = 0; way < SEEDS_WAYS; way++) {
        most = fmax(most, work->seeds[way]);
        if (seeds_was_run(&scores[0]) && seeds_was_run(&scores[way]))
            most = fmax(most, seeds_speed_up(scores, way));
    }
    scale.most = scale.least;
    while (scale.most < most)
        scale.most = next_tick(&scale, scale.most);
    return scale;
}

static void draw_head(FILE *to, const char *caption)
{
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
            "role=\"img\" aria-labelledby=\"name\">\n"
            "<title id=\"name\">umbel bench seeds: speed-up over a serial loop</title>\n%s"
            "<rect class=\"page\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n"
            "<text class=\"title\" x=\"%d\" y=\"44\">Speed-up over a serial loop in C</text>\n"
            "<text class=\"quiet\" x=\"%d\" y=\"66\">umbel bench seeds, %s</text>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, style, WIDTH, HEIGHT, MARGIN, MARGIN, caption);
    fprintf(to,
            "<rect class=\"umbel\" x=\"%d\" y=\"34\" width=\"12\" height=\"12\" rx=\"3\"/>"
            "<text x=\"%d\" y=\"44.5\">Umbel</text>\n"
            "<rect class=\"seeds\" x=\"%d\" y=\"34\" width=\"12\" height=\"12\" rx=\"3\"/>"
            "<text x=\"%d\" y=\"44.5\">the seeds, in Python</text>\n",
            WIDTH - 262, WIDTH - 244, WIDTH - 182, WIDTH - 164);
}

static void draw_axis(FILE *to, const struct scale *scale, double top, double bottom)
{
    for (double tick = scale->least; tick <= scale->most * 1.001; tick = next_tick(scale, tick)) {
        double x = LABELS + length_of(scale, tick);
        fprintf(to,
                "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text class=\"quiet\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>\n",
                tick > scale->least ? "grid" : "base", x, x, top, bottom, x, bottom + 18, tick);
    }
}

static void draw_bar(FILE *to, const struct scale *scale, const char *class, double y, double value)
{
    double length = length_of(scale, value);
    const char *text = class[0] == 'u' ? "value" : "quiet";
    fprintf(to,
            "<path class=\"%s\" d=\"M%d %.1fh%.1fq3 0 3 3v%dq0 3 -3 3h-%.1fz\"/>"
            "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%.*f</text>\n",
            class, LABELS, y, length - 3, BAR - 6, length - 3, text, LABELS + length + 7, y + BAR - 3,
            value < 100 ? 2 : 0, value);
}

static void draw_row(FILE *to, const struct scale *scale, const struct seeds_work *work,
                     const struct seeds_score *scores, size_t way, double y)
{
    const struct seeds_score *score = &scores[way];
    bool drawn = seeds_was_run(&scores[0]) && seeds_was_run(score);
    fprintf(to, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LABELS - 14, y + BAR - 3,
            seeds_ways[way].name);
    if (drawn) {
        fprintf(to, "<text class=\"quiet\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.*f s</text>\n",
                LABELS - 14, y + 2 * BAR - 1, score->seconds < 10 ? 2 : 1, score->seconds);
        draw_bar(to, scale, "umbel", y, seeds_speed_up(scores, way));
    } else {
        fprintf(to, "<text class=\"quiet\" x=\"%d\" y=\"%.1f\">%s</text>\n", LABELS + 7, y + BAR - 3,
                score->skipped ? "not run" : "failed");
    }
    draw_bar(to, scale, "seeds", y + BAR + 2, work->seeds[way]);
}

static void draw_panel(FILE *to, const struct seeds_work *work, const struct seeds_score *scores, double top)
{
    struct scale scale = scale_of(work, scores);
    double first = top + TITLE, last = first + SEEDS_WAYS * ROW;
    fprintf(to,
            "<text class=\"work\" x=\"%d\" y=\"%.1f\">%s</text>\n"
            "<text class=\"quiet\" x=\"%d\" y=\"%.1f\">%s%s</text>\n",
            MARGIN, top + 20, work->name, MARGIN, top + 40, work->what,
            scale.logarithmic ? "; logarithmic scale" : "");
    draw_axis(to, &scale, first - 6, last);
    for (size_t way = 0; way < SEEDS_WAYS; way++)
        draw_row(to, &scale, work, scores, way, first + (double)way * ROW);
}

bool seeds_chart_write(FILE *to, const struct seeds_work works[SEEDS_WORKS],
                       const struct seeds_score scores[SEEDS_WORKS][SEEDS_WAYS], const char *caption)
{
    draw_head(to, caption);
    for (size_t at = 0; at < SEEDS_WORKS; at++)
        draw_panel(to, &works[at], scores[at], HEAD + (double)at * PANEL);
    fputs("</svg>\n", to);
    return fflush(to) == 0;
}
