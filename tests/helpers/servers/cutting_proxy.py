"""A proxy to PostgreSQL that cuts connections, before a request is sent or before its response arrives."""

import random
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

MESSAGE = 1 << 16


class Cuts(Protocol):
    """Decides for each request and response whether the connection is cut before it arrives."""

    def loses_question(self, question: bytes, /) -> bool: ...

    def loses_answer(self, question: bytes, /) -> bool: ...


class RandomCuts:
    """Loses a random fraction of all messages."""

    def __init__(self, share: float, seed: int) -> None:
        self._share, self._draw = share, random.Random(seed)
        self.questions_lost = self.answers_lost = 0

    def loses_question(self, _question: bytes) -> bool:
        lost = self._draw.random() < self._share
        self.questions_lost += lost
        return lost

    def loses_answer(self, _question: bytes) -> bool:
        lost = self._draw.random() < self._share
        self.answers_lost += lost
        return lost


class LoseOneCommit:
    """Loses the response to a single COMMIT, the n-th after ``lose(n)``: it was executed, but not confirmed."""

    def __init__(self) -> None:
        self._left = 0

    def lose(self, number: int) -> None:
        self._left = number

    @property
    def was_lost(self) -> bool:
        return self._left <= 0

    def loses_question(self, _question: bytes) -> bool:
        return False

    def loses_answer(self, question: bytes) -> bool:
        self._left -= b"COMMIT" in question
        return self._left == 0 and b"COMMIT" in question


@contextmanager
def cutting_proxy(server_socket: str, cuts: Cuts) -> Iterator[int]:
    """A local port that forwards to the server's socket and cuts connections according to ``cuts``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, server_socket, cuts), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, server_socket: str, cuts: Cuts) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # the proxy was closed
            return
        threading.Thread(target=_relay, args=(client, server_socket, cuts), daemon=True).start()


def _relay(client: socket.socket, server_socket: str, cuts: Cuts) -> None:
    """Forward messages in both directions until the connection is closed or cut."""
    with client, socket.socket(socket.AF_UNIX) as server:
        server.connect(server_socket)
        question = b""
        while True:
            ready, _, _ = select.select([client, server], [], [])
            if client in ready:
                question = client.recv(MESSAGE)
                if not question or cuts.loses_question(question):
                    return
                server.sendall(question)
            if server in ready:
                answer = server.recv(MESSAGE)
                if not answer or cuts.loses_answer(question):
                    return
                client.sendall(answer)
