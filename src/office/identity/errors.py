"""Why somebody does not come in, or may not do what was asked. The API turns each into a problem of its own."""

from __future__ import annotations

from runtime.errors import GongcheError


class NotThereError(GongcheError):
    """There is no such user, grant, client..., or it lies outside the units of who asks."""


class NotAllowedError(GongcheError):
    """Who asks may not do this."""


class BadLoginError(GongcheError):
    """Name, password or code are wrong, or the user is disabled: nobody learns which."""

    def __init__(self) -> None:
        super().__init__(
            "登录名、密码或验证码不正确，或账号已停用；请重试，或请管理员重置"
            " · the name, the password or the code is wrong, or the user is disabled; try again, or ask your administrator"
        )


class CodeNeededError(GongcheError):
    """The password is right; the second factor is missing."""

    def __init__(self) -> None:
        super().__init__(
            "还需要动态验证码：请连同 code 重新提交（或用一个恢复码）"
            " · a code is needed too: send the same again with `code` (or a recovery code)"
        )


class PasswordEndedError(GongcheError):
    """The one-time password is right, and too old."""

    def __init__(self) -> None:
        super().__init__(
            "一次性密码已过期，请管理员重新重置 · the one-time password has expired, ask your administrator for another one"
        )


class LockedError(GongcheError):
    """Too many failures: nothing is tried before ``wait_s`` seconds have passed."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(
            f"失败次数过多，请 {wait_s} 秒后再试 · too many failures, try again in {wait_s} seconds"
        )
        self.wait_s = wait_s


class TooBusyError(GongcheError):
    """More passwords are being checked than there is room for."""

    def __init__(self) -> None:
        super().__init__(
            "登录请求过多，请稍后重试 · too many are signing in at this moment, try again shortly"
        )
