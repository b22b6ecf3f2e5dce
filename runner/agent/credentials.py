"""AWS credentials as SageMaker gives them: an endpoint that the SDKs ask. Part of the agent: see `agent.py`.

SageMaker's is at 169.254.170.2, an address that a container cannot give itself; this one is on its own loopback, which
the SDKs accept too (AWS_CONTAINER_CREDENTIALS_FULL_URI), and which is there without a network.
"""

import json
import os
import time

ENDPOINT = "127.0.0.1"
PATH = "/credentials"
LIFE = 3600  # seconds for which an SDK may keep credentials whose end nobody knows, until it asks again
PATIENCE = 2.0  # seconds that one client may take
LONGEST_REQUEST = 1 << 13


class Endpoint:
    """Listens from the start, so that its address is known; answers, in a process of its own, from `serve` on."""

    def __init__(self, document):
        import socket  # late: few steps need it

        self.document = document
        self.token = os.urandom(16).hex()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.bind((ENDPOINT, 0))
        self.socket.listen(16)

    def variables(self):
        uri = "http://%s:%d%s" % (ENDPOINT, self.socket.getsockname()[1], PATH)
        return [["AWS_CONTAINER_CREDENTIALS_FULL_URI", uri], ["AWS_CONTAINER_AUTHORIZATION_TOKEN", self.token]]

    def serve(self):
        """Fork. The child ends with all others when the script has ended."""
        if os.fork():
            self.socket.close()
            return
        try:
            null = os.open("/dev/null", os.O_RDWR)
            for number in (0, 1, 2):  # the leash and the script's streams are not its own
                os.dup2(null, number)
            while True:
                self.answer(self.socket.accept()[0])
        finally:
            os._exit(1)

    def answer(self, connection):
        try:
            connection.settimeout(PATIENCE)
            request = b""
            while b"\r\n\r\n" not in request and len(request) < LONGEST_REQUEST:
                data = connection.recv(1 << 12)
                if not data:
                    break
                request += data
            connection.sendall(self.reply(request.decode("latin-1")))
        except OSError:  # the client is gone, or too slow: its SDK asks again
            pass
        finally:
            connection.close()

    def reply(self, request):
        first, *lines = request.split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("authorization") != self.token:
            return respond("401 Unauthorized", {"message": "the authorization token is missing or wrong"})
        if first.split(" ")[:2] != ["GET", PATH]:
            return respond("404 Not Found", {"message": "only GET %s is known here" % PATH})
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + LIFE))
        return respond("200 OK", dict(self.document, Expiration=self.document["Expiration"] or until))


def respond(status, document):
    body = json.dumps(document).encode()
    head = "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return (head % (status, len(body))).encode() + body
