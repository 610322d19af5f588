"""What a Tasks method gets: the board, the parameters, the body."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.messages import Json, Request
from sandbox.switches import Switches
from sandbox.tasks.state import Board


@dataclass(slots=True)
class Context:
    board: Board
    params: Json
    body: Json
    request: Request

    @property
    def switches(self) -> Switches:
        return self.board.env.switches
