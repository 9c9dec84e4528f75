"""One shape for every error a person or an agent may meet: code, what, where, what to do."""

from __future__ import annotations


class KubemendError(Exception):
    """Something went wrong that the caller can be told about.

    `code` is kebab-case and stable; `where` names the file, object or address;
    `hint` says what to do next. The original exception, if any, is the cause.
    """

    code = "internal"
    exit_status = 1

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.where, self.hint = message, where, hint
        if code is not None:
            self.code = code


class InvalidInput(KubemendError):
    """The caller's words, file or configuration can't be used as they are."""

    code = "invalid-input"
    exit_status = 2
