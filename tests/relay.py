"""A TCP relay in front of a server: it can be down, cut every connection, swallow what is sent, never answer, or speak TLS."""
import re
import socket
import ssl
import threading


class Relay:
    def __init__(self, url, certificate=None):
        host, port = re.search(r"(127\.0\.0\.1):(\d+)", url).groups()
        self.target = (host, int(port))
        self.lock = threading.Lock()
        self.open_sockets = set()
        self.muted = self.swallowing = False
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate.cert, certificate.key)
        self.listener = None
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        self.port = probe.getsockname()[1]
        probe.close()
        self.url = url.replace("%s:%s" % (host, port), "127.0.0.1:%d" % self.port)
        self.up()

    def up(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.listener = listener
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.open_sockets.add(near)
            if not self.muted:
                threading.Thread(target=self.join, args=(near,), daemon=True).start()

    def join(self, near):
        try:
            if self.tls:
                near = self.shake_hands(near)
            far = socket.create_connection(self.target, 5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        with self.lock:
            self.open_sockets.add(far)
        threading.Thread(target=self.pump, args=(near, far, True), daemon=True).start()
        self.pump(far, near, False)

    def shake_hands(self, plain):
        near = self.tls.wrap_socket(plain, server_side=True)
        with self.lock:
            self.open_sockets.discard(plain)
            self.open_sockets.add(near)
        return near

    def pump(self, source, sink, sending):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if not (sending and self.swallowing):
                    sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Ends every connection; new ones are taken."""
        self.swallowing = False
        with self.lock:
            for s in self.open_sockets:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                s.close()
            self.open_sockets.clear()

    def swallow(self):
        """Whatever is sent to the server from now on is taken and thrown away, until the next cut."""
        self.swallowing = True

    def mute(self):
        """Takes connections and never says a word."""
        self.muted = True
        self.cut()

    def down(self):
        """As if the server had ended."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        self.cut()

    close = down
