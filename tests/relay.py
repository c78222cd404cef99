"""A TCP relay in front of a server: it can be down, cut every connection, swallow or hold what is sent, never answer, or speak
TLS."""
import re
import socket
import ssl
import threading
import time


class Relay:
    def __init__(self, url, certificate=None):
        host, port = re.search(r"(127\.0\.0\.1):(\d+)", url).groups()
        self.target = (host, int(port))
        self.lock = threading.Lock()
        self.open_sockets = set()  # to the clients
        self.far_sockets = set()  # to the server
        self.held = {}  # what is kept from the server, by socket
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
            self.far_sockets.add(far)
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
                if sending and sink in self.held:
                    self.held[sink].append(data)
                elif not (sending and self.swallowing):
                    sink.sendall(data)
        except OSError:
            pass
        if source in self.held or sink in self.held:
            return  # the server is not to know yet that the client has gone
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self, pause=0.0):
        """Ends every connection, in any order, with a pause in seconds between them; new ones are taken."""
        self.swallowing = False
        with self.lock:
            ending = list(self.open_sockets)
            self.open_sockets.clear()
            far = [s for s in self.far_sockets if s not in self.held]
            self.far_sockets.difference_update(far)
        for number, s in enumerate(ending):
            time.sleep(pause if number else 0)
            end(s)
        for s in far:
            end(s)

    def swallow(self):
        """Whatever is sent to the server from now on is taken and thrown away, until the next cut."""
        self.swallowing = True

    def hold(self):
        """What is sent on the connections there are arrives when it is released, even if they are cut before."""
        with self.lock:
            self.held = {far: [] for far in self.far_sockets}

    def release(self):
        """What was held arrives, and those connections end."""
        for far, data in self.held.items():
            far.sendall(b"".join(data))
        held, self.held = self.held, {}  # from here on a pump that notices its cut late may end them as well
        for far in held:
            try:
                far.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def mute(self):
        """Takes connections and never says a word."""
        self.muted = True
        self.cut()

    def down(self, pause=0.0):
        """As if the server had ended. With a pause, as if it had fallen silent: each connection is found dead by itself."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        self.cut(pause)

    close = down


def end(s):
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    s.close()
