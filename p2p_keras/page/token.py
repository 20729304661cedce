"""A token that a page asks for where others than this machine can reach it."""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from bokeh.server.auth_provider import AuthProvider
from tornado.web import RequestHandler

__all__ = ["TokenAuth", "new_token"]

_COOKIE = "p2p_keras_view"
_PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>p2p_keras</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>body {{ font: 16px system-ui, sans-serif; margin: 15vh auto; max-width: 26rem; padding: 0 1rem; }}
input {{ font: inherit; padding: .4rem; width: 100%; margin: .4rem 0; box-sizing: border-box; }}</style></head><body>
<h1>p2p_keras</h1><p>{message}</p><form method="post"><label>Token<input name="token" type="password" autofocus></label>
<input type="submit" value="Open"></form></body></html>"""


class TokenAuth(AuthProvider):
    """Lets in who has the token, in the link or typed once; a signed cookie keeps it for the browser's session."""

    def __init__(self, token: str) -> None:
        self.token = token
        super().__init__()

    def matches(self, given: str) -> bool:
        """Compare without telling by the time how much of it is right."""
        return hmac.compare_digest(given.encode("utf-8"), self.token.encode("utf-8"))

    @property
    def get_user(self) -> Any:
        """Function of a request: the user's name, None for a stranger."""

        def user(handler: RequestHandler) -> str | None:
            kept = handler.get_signed_cookie(_COOKIE)
            if kept is not None and self.matches(kept.decode("utf-8", "replace")):
                return "guest"
            if self.matches(handler.get_query_argument("token", "")):
                _remember(handler, self.token)
                return "guest"
            return None

        return user

    @property
    def login_url(self) -> str:
        """Where a stranger is sent to."""
        return "/token"

    @property
    def login_handler(self) -> type[RequestHandler]:
        """The page that asks for the token."""
        matches, token = self.matches, self.token

        class AskForToken(RequestHandler):
            def get(self) -> None:
                self.write(
                    _PAGE.format(message="This page asks for the token that the program printed when it started.")
                )

            def post(self) -> None:
                if matches(self.get_body_argument("token", "")):
                    _remember(self, token)
                    self.redirect("/")
                    return
                self.set_status(403)
                self.write(_PAGE.format(message="That isn't the token."))

        return AskForToken


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


def _remember(handler: RequestHandler, token: str) -> None:
    handler.set_signed_cookie(_COOKIE, token, expires_days=None, httponly=True, samesite="Strict")
