"""Certificates for one test run: an authority, and servers' certificates that are right or wrong in one way each."""
import os
import subprocess

EXPIRED = ("20200101000000Z", "20200201000000Z")
CONFIG = """[ca]
default_ca = here
[here]
dir = %(folder)s
new_certs_dir = %(folder)s
database = %(folder)s/index
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError("openssl %s: %s" % (" ".join(arguments), done.stdout))


class Certificate:
    def __init__(self, folder, name):
        self.cert, self.key = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")


class Authority:
    """One that signs; `ca` is what clients are told to trust."""

    def __init__(self, folder, name="authority"):
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.config, self.made = os.path.join(self.folder, "config"), Certificate(self.folder, "ca")
        self.ca = self.made.cert
        with open(self.config, "w") as f:
            f.write(CONFIG % {"folder": self.folder})
        open(os.path.join(self.folder, "index"), "w").close()
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test " + name, "-days", "2",
                "-keyout", self.made.key, "-out", self.ca, "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign")

    def sign(self, name, alternatives, dates=None):
        """A server's certificate for names such as "DNS:localhost,IP:127.0.0.1"."""
        made = Certificate(self.folder, name)
        request = os.path.join(self.folder, name + ".request")
        openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-keyout", made.key,
                "-out", request, "-addext", "subjectAltName=" + alternatives)
        when = ["-startdate", dates[0], "-enddate", dates[1]] if dates else ["-days", "2"]
        openssl("ca", "-batch", "-notext", "-config", self.config, "-cert", self.ca, "-keyfile", self.made.key, "-in", request,
                "-out", made.cert, *when)
        os.chmod(made.key, 0o644)  # throw-away keys; a server under another user may have to read them
        return made
