"""Every public function is explained in the manual and shown by an example that the tests run."""
import glob
import os
import re
import subprocess
import unittest

from stage import BUILD, ROOT

MAN = os.path.join(BUILD, "man")


def read(path):
    with open(path) as f:
        return f.read()


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def public_functions():
    names = []
    for header in glob.glob(os.path.join(ROOT, "include/umbel/*.h")):
        for declaration in re.findall(r"^UMBEL_API([^;]*);", without_comments(read(header)), re.M):
            names.append(re.search(r"\b(umbel_\w+)\(", declaration).group(1))
    return names


class Manuals(unittest.TestCase):
    limit = 60

    def test_every_public_function_has_a_page(self):
        names = public_functions()
        self.assertGreater(len(names), 100)
        missing = [name for name in names if not os.path.exists(os.path.join(MAN, "man3", name + ".3"))]
        self.assertEqual(missing, [])

    def test_every_page_names_its_functions_and_says_something(self):
        for name in public_functions():
            page = read(os.path.join(MAN, "man3", name + ".3"))
            if page.startswith(".so "):
                page = read(os.path.join(MAN, page.split()[1]))
            self.assertIn(name + "(", page)
            description = page.partition(".SH DESCRIPTION")[2].partition(".SH")[0]
            self.assertGreater(len(description.strip()), 5, name)

    def test_every_command_is_in_the_programs_page(self):
        page = read(os.path.join(MAN, "man1", "umbel.1"))
        for command in ("WORKER", "CALL", "RESULT", "DEAD", "STATUS", "BENCH"):
            self.assertIn('.SH "UMBEL %s"' % command, page)

    def test_groff_has_nothing_to_say(self):
        try:
            subprocess.run(["groff", "--version"], stdout=subprocess.DEVNULL, check=True)
        except FileNotFoundError:
            self.skipTest("there is no groff")
        for page in glob.glob(os.path.join(MAN, "man*", "*")):
            done = subprocess.run(["groff", "-ww", "-z", "-man", "-Tutf8", page], cwd=MAN, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.stderr, "", page)

    def test_every_public_function_is_shown_by_an_example(self):
        run = read(os.path.join(ROOT, "tests/system/examples_test.py"))
        sources = glob.glob(os.path.join(ROOT, "tests/consumer/app.c*"))
        for path in glob.glob(os.path.join(ROOT, "examples/*.c")):
            name = os.path.basename(path)[:-2]
            if re.search(r'"%s[".]' % name, run) or name == "client":
                sources.append(path)
        shown = "".join(without_comments(read(path)) for path in sources)
        missing = []
        for name in public_functions():
            short = re.sub("_(with|take|give)$", "", name)
            if not re.search(r"\b(%s|%s)\(" % (name, short), shown):
                missing.append(name)
        self.assertEqual(missing, [])
