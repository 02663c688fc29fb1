"""Errors of ``office.identity`` as problems; and which part of an address is an id."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.convertors import StringConvertor, register_url_convertor

from api.errors import Problem
from office.identity.errors import (
    BadLoginError,
    CodeNeededError,
    LockedError,
    NotAllowedError,
    NotThereError,
    PasswordEndedError,
    TooBusyError,
)
from runtime.errors import ConfigurationError

_logger = logging.getLogger(__name__)


class _Id(StringConvertor):
    """A part of an address that is an id. Without colon: ``/users/x:disable`` is another address than ``/users/x``, and a
    wrong method there is a 405."""

    regex = "[^/:]+"


register_url_convertor("id", _Id())


@contextmanager
def as_problems() -> Iterator[None]:
    """Around work of ``office.identity``: its refusals become problems."""
    try:
        yield
    except BadLoginError as error:
        raise Problem(401, "bad-login", error.message, headers=_CHALLENGE) from None
    except CodeNeededError as error:
        raise Problem(401, "code-needed", error.message, headers=_CHALLENGE) from None
    except PasswordEndedError as error:
        raise Problem(401, "password-ended", error.message, headers=_CHALLENGE) from None
    except LockedError as error:
        raise Problem(
            429, "too-many-failures", error.message, headers={"Retry-After": str(error.wait_s)}
        ) from None
    except TooBusyError as error:
        raise Problem(503, "busy", error.message, headers={"Retry-After": "2"}) from None
    except NotAllowedError as error:
        raise Problem(403, "not-allowed", error.message) from None
    except NotThereError as error:
        raise Problem(404, "not-found", error.message) from None
    except ConfigurationError as error:
        _logger.error("%s (%s)", error.message, error.hint)
        detail = "服务器的身份密钥不可用，请联系管理员 · the identity key of the server is not usable, tell your administrator"
        raise Problem(503, "identity-key", detail, headers={"Retry-After": "60"}) from None


#: 401 needs a challenge (RFC 9110); this one makes no browser ask for a password.
_CHALLENGE = {"WWW-Authenticate": 'Session realm="gongche"'}
