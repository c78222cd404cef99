"""A histogram of times in a dozen letters."""
LEVELS = "▁▂▃▄▅▆▇█"


def merged(records):
    """[up to ms, count] of several runs as one."""
    total = {}
    for record in records:
        for bound, count in record.get("histogram", []):
            total[bound] = total.get(bound, 0) + count
    return sorted(total.items())


def coarser(rows, most):
    while len(rows) > most:
        rows = [(rows[i + 1][0] if i + 1 < len(rows) else rows[i][0], sum(c for _, c in rows[i:i + 2]))
                for i in range(0, len(rows), 2)]
    return rows


def spark(records, most=12):
    """'▁▃█▂ to 5 ms' of the records that have a histogram, else ''. A letter is a step of time, its height how many."""
    rows = merged(records)
    if not rows:
        return ""
    top = rows[-1][0]
    rows = coarser(rows, most)
    largest = max(count for _, count in rows)
    letters = "".join(LEVELS[-(-count * (len(LEVELS) - 1) // largest)] if count else " " for _, count in rows)
    return "%s to %s ms" % (letters, format(top, ",.0f") if top >= 1000 else "%.3g" % top)
