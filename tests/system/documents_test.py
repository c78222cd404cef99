"""The documents say what is so: flags, files and tests that they name exist, and every flag is explained."""
import os
import re

from stage import OnSqlite, ROOT

DOCUMENTS = ["README.md", "CONTRIBUTING.md"] + sorted(
    os.path.join("docs", name) for name in os.listdir(os.path.join(ROOT, "docs")) if name.endswith(".md"))


def read(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


class Documents(OnSqlite):
    def test_every_flag_of_the_worker_is_in_the_settings_page_and_no_other(self):
        told = set(re.findall(r"--[a-z][a-z-]+", self.bare("worker", "--help").out))
        page = set(re.findall(r"`(--[a-z][a-z-]+)", read("docs/settings.md")))
        self.assertEqual(told - page - {"--help"}, set())
        self.assertEqual(page - told - {"--app", "--broker", "--result-backend"}, set())

    def test_every_path_that_a_document_names_is_there(self):
        for document in DOCUMENTS:
            text = read(document)
            paths = re.findall(r"`((?:tests|scripts|docs|examples|include|common|broker|worker|client)/[\w./-]+)`", text)
            paths += [os.path.join(os.path.dirname(document), link) for link in re.findall(r"\]\(([\w./-]+)\)", text)]
            for path in paths:
                if "NAME" in path or "NOUN" in path:
                    continue
                self.assertTrue(os.path.exists(os.path.join(ROOT, path)), "%s names %s" % (document, path))

    def test_every_test_that_the_status_page_names_is_there(self):
        for path, name in re.findall(r"`(tests/[\w/]+\.py) (test_\w+)`", read("docs/STATUS.md")):
            self.assertIn("def %s(" % name, read(path))

    def test_the_readmes_task_is_the_examples_task(self):
        task = re.search(r"```c\n#include <umbel.h>\n\n(UMBEL_TASK\(add.*?\n}\n)", read("README.md"), re.S).group(1)
        self.assertIn(task, read("examples/add.c"))

    def test_the_status_page_has_a_row_for_each_of_its_points(self):
        rows = re.findall(r"^\| (\d+) ", read("docs/STATUS.md"), re.M)
        self.assertEqual(rows, [str(i) for i in range(1, 20)])
