"""A connection to PostgreSQL that is cut at random moments: questions that never arrive, and answers that are lost."""

import random
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

MESSAGE = 1 << 16


class Cuts(Protocol):
    """Decides, question by question and answer by answer, whether the connection is cut before it arrives."""

    def loses_question(self, question: bytes, /) -> bool: ...

    def loses_answer(self, question: bytes, /) -> bool: ...


class RandomCuts:
    """Loses a share of all messages, drawn from a seed."""

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
    """Loses the answer to one COMMIT, the so many-th from when it was told to: it was done, and nobody knows."""

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
    """A port of this machine that leads to the server's socket, by connections that are cut as ``cuts`` says."""
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
    """Pass on what both say, until one of them ends the connection or it is cut."""
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
