"""Bodies and answers of the addresses for people and programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, Field

from api.answers import page_of
from api.bodies import Body, read_model
from api.http import MAX_ID
from office.identity.subject import Role
from registry.values import Time

#: A password, a name and a code need no more, in bytes.
MAX_BODY: Final = 16 << 10

Login = Annotated[str, Field(min_length=1, max_length=200, description="login name")]
Password = Annotated[str, Field(min_length=1, max_length=256)]
Code = Annotated[
    str, Field(min_length=1, max_length=64, description="of the authenticator, or a recovery code")
]
Unit = Annotated[str | None, Field(max_length=MAX_ID, description="id of a unit; null: everywhere")]
Text = Annotated[str, Field(max_length=200)]
RoleName = Annotated[Role, Field(strict=False)]


class SignIn(Body):
    """Who wants to come in."""

    login: Login
    password: Password
    code: Code | None = None


class PasswordChange(Body):
    """The old password and the new one."""

    password: Password
    new_password: Password


class Confirmation(Body):
    """The password again, by somebody who is signed in."""

    password: Password


class CodeOnly(Body):
    """A code."""

    code: Code


class SwitchOff(Body):
    """Password and code, to be without a second factor from now on."""

    password: Password
    code: Code


class OwnDelegation(Body):
    """Somebody else holds one of my roles for a period."""

    grant: int = Field(ge=1, le=2**53, description="id of the role, see `roles`")
    to: Login
    valid_from: Time | None = Field(None, description="left out: now")
    valid_to: Time
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class UserBody(Body):
    """A person."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    organisation: Unit = None
    phone: Text | None = None
    email: Text | None = None


class NewUser(UserBody):
    """A person who gets a login name. It is written in lower case, full-width letters as plain ones."""

    id: Login


class GrantBody(Body):
    """A role in a unit and all units below it."""

    role: RoleName
    organisation: Unit = None
    valid_from: Time | None = Field(None, description="left out: now")
    valid_to: Time | None = Field(None, description="left out: without end")


class OidcLink(Body):
    """Who the person is at the identity provider of the settings."""

    subject: Annotated[str, Field(min_length=1, max_length=255, description="`sub` of its ID tokens")]


class ClientBody(Body):
    """A program."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=50)]
    organisation: Unit = None


class SecretBody(Body):
    """The next secret of a client."""

    expires_at: Time | None = Field(None, description="left out: without end")


BODIES: Final[tuple[type[BaseModel], ...]] = (
    SignIn, PasswordChange, Confirmation, CodeOnly, SwitchOff, OwnDelegation, UserBody, NewUser, GrantBody, OidcLink,
    ClientBody, SecretBody,
)  # fmt: skip


class SignInMethods(BaseModel):
    """How one may sign in: by a password, by the identity provider of the settings (`/v1/oidc/login`)."""

    password: bool
    identity_provider: bool


class HeldRole(BaseModel):
    """A role that somebody holds now. `delegated_by`: whose it is."""

    role: Role
    name: str
    organisation: str | None
    permissions: list[str]
    delegated_by: str | None


class StoredGrant(BaseModel):
    """A role as it was granted."""

    id: int
    role: str
    organisation: str | None
    valid_from: datetime
    valid_to: datetime | None
    granted_by: str
    granted_at: datetime


class StoredDelegation(BaseModel):
    """A role that somebody else holds for a period; both people are named."""

    id: int
    grant: int
    role: str
    organisation: str | None
    from_user: str
    from_name: str
    to_user: str
    to_name: str
    valid_from: datetime
    valid_to: datetime
    reason: str
    made_by: str
    made_at: datetime


class SessionState(BaseModel):
    """Who is signed in. Requests that change something carry `csrf_token` in the header X-CSRF-Token. `driver`: which driver he is by the accounts of
    drivers (驾驶员账号); null: none."""

    id: str
    login: str
    name: str
    must_change_password: bool
    second_factor: bool
    recovery_codes_left: int
    method: Literal["password", "password+code", "oidc"]
    began_at: datetime
    ends_at: datetime
    roles: list[HeldRole]
    permissions: list[str]
    grants: list[StoredGrant]
    delegations: list[StoredDelegation]
    driver: str | None
    csrf_token: str


class AliveSession(BaseModel):
    """A session that is alive."""

    id: str
    current: bool
    method: Literal["password", "password+code", "oidc"]
    began_at: datetime
    seen_at: datetime
    ends_at: datetime
    address: str
    agent: str


class AliveSessions(BaseModel):
    """My sessions, the last used first."""

    items: list[AliveSession]


class EnrolmentShown(BaseModel):
    """The secret for the authenticator. It is shown once; `uri` is for a QR code."""

    secret: str
    uri: str


class RecoveryCodes(BaseModel):
    """Codes for the day when the authenticator is lost, each for one use. They are shown once."""

    recovery_codes: list[str]


class UserShown(BaseModel):
    """A person."""

    id: str
    name: str
    organisation: str | None
    phone: str | None
    email: str | None
    must_change_password: bool
    has_password: bool
    has_code: bool
    disabled_at: datetime | None
    created_at: datetime
    created_by: str
    seen_at: datetime | None


class UserWithRoles(UserShown):
    """A person with roles and delegations."""

    roles: list[StoredGrant]
    delegations: list[StoredDelegation]


class OneTimePassword(BaseModel):
    """A password for one use, shown once: it must be changed at the first login, within a week."""

    id: str
    one_time_password: str


class Made(BaseModel):
    """What was made."""

    id: int


class ClientSecret(BaseModel):
    """A secret of a client, without what is secret."""

    id: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class ClientShown(BaseModel):
    """A program."""

    id: str
    name: str
    scopes: list[str]
    organisation: str | None
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    secrets: list[ClientSecret]


class NewClientSecret(BaseModel):
    """A secret, shown once."""

    client_id: str
    secret_id: str
    client_secret: str


class AccessToken(BaseModel):
    """An access token (RFC 6749, 5.1)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class OAuthError(BaseModel):
    """A refusal (RFC 6749, 5.2)."""

    error: Literal["invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope"]
    error_description: str


UserPage: Final = page_of(UserShown)
ClientPage: Final = page_of(ClientShown)

_M = TypeVar("_M", bound=BaseModel)


async def read_body(request: Request, model: type[_M]) -> _M:
    """``read_model``, of a body that is never large."""
    return await read_model(request, model, MAX_BODY)
