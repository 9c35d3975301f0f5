"""The one exception a user may see: a line that says what is wrong and what to do."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend; the command line prints its text and exits with `exit_code`.

    `message` is one line: what is wrong, then what to do. `code` is the short name a protocol face reports.
    """

    exit_code = 2

    def __init__(self, message: str, *, code: str = "invalid_request") -> None:
        super().__init__(" ".join(message.split()))
        self.code = code
