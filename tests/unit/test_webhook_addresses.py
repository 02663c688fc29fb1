"""Where a webhook may be sent: a table of addresses and of URLs."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office.posting.addresses import Policy, TargetRefusedError, checked, refusal, target_of
from runtime.errors import ConfigurationError

PUBLIC = Policy()

REFUSED = [
    "0.0.0.0",  # noqa: S104 - refused, not bound
    "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.1.2.3",
    "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1",
    "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "192.175.48.1", "198.18.0.1",
    "198.19.255.255", "198.51.100.1", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::2", "::7f00:1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8",
    "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1", "2001:20::1", "2001:db8::1", "2001:db8:ffff::1", "2002:7f00:1::1", "2002:808:808::1", "2620:4f:8000::1",
    "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1", "ff0e::1",
    "4000::1", "2606:4700::1111%1", "200::1",
]  # fmt: skip
LET_THROUGH = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
    "198.20.0.0", "223.255.255.255", "2001:200::1", "2400:3200::1", "2606:4700:4700::1111", "2a00:1450::1", "240e::1",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_special_addresses_are_refused(text: str) -> None:
    assert refusal(ip_address(text), PUBLIC) is not None
    with pytest.raises(TargetRefusedError):
        checked(["1.1.1.1", text], PUBLIC)  # one bad address makes the name bad


@pytest.mark.parametrize("text", LET_THROUGH)
def test_public_addresses_are_let_through(text: str) -> None:
    assert refusal(ip_address(text), PUBLIC) is None
    assert checked([text], PUBLIC) == [text]


@given(st.ip_addresses())
def test_what_python_takes_for_private_is_never_let_through(address: object) -> None:
    found = ip_address(str(address))
    if not found.is_global or found.is_multicast or found.is_reserved:
        assert refusal(found, PUBLIC) is not None


def test_networks_of_the_office_are_let_through_and_nothing_beside_them() -> None:
    policy = Policy.of(["10.20.0.0/16", " fd00:12::/48"], [9443], False)
    for text in ("10.20.0.1", "10.20.255.255", "fd00:12::1"):
        assert refusal(ip_address(text), policy) is None
    for text in (
        "10.21.0.1",
        "10.19.255.255",
        "fd00:13::1",
        "::ffff:10.20.0.1",
        "fd00:12::1%eth0",
        "127.0.0.1",
    ):
        assert refusal(ip_address(text), policy) is not None
    assert target_of("https://10.20.3.4:9443/x", policy).port == 9443
    for wrong in ("10.20.0.1/16", "x", "10.0.0.0/99"):
        with pytest.raises(ConfigurationError, match="WEBHOOK_ALLOWED_NETWORKS"):
            Policy.of([wrong], [], False)


def test_this_machine_only_where_it_is_asked_for() -> None:
    demo = Policy(loopback=True)
    for url in ("http://127.0.0.1:8099/x", "http://localhost:1/", "https://[::1]:9999/"):
        assert target_of(url, demo).host
        with pytest.raises(TargetRefusedError):
            target_of(url, PUBLIC)
    assert checked(["127.0.0.1", "::1"], demo)
    for url in ("http://example.cn/", "http://10.0.0.1/", "https://example.cn:81/"):
        with pytest.raises(TargetRefusedError):
            target_of(url, demo)


URLS_REFUSED = [
    "", "https://", "https:///x", "http://example.cn/", "ftp://example.cn/", "file:///etc/passwd", "gopher://example.cn/",
    "//example.cn/", "example.cn", "https://user@example.cn/", "https://user:pw@example.cn/", "https://@example.cn/",
    "https://example.cn#x", "https://example.cn/#", "https://example.cn:0/", "https://example.cn:22/", "https://example.cn:80/",
    "https://example.cn:99999/", "https://example.cn:x/", "https://例子.cn/", "https://example.cn/\r\nHost: x",
    "https://example.cn/ x", "https://exa mple.cn/", "https://example.cn\\@evil.cn/", "https://[::1]/", "https://[fe80::1%25eth0]/",
    "https://[::ffff:127.0.0.1]/", "https://127.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/latest", "https://[x]/",
    "https://a..b/", "https://.a/", "https://-a/", "https://a-/", "https://" + "a" * 64 + ".cn/", "https://x.cn/" + "a" * 2000,
]  # fmt: skip


@pytest.mark.parametrize("url", URLS_REFUSED)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(TargetRefusedError, match="·"):
        target_of(url, PUBLIC)


def test_a_url_is_taken_apart_once() -> None:
    target = target_of("https://Receiver.Example.CN:8443/a/b?c=d&e", PUBLIC)
    assert (target.scheme, target.host, target.port, target.path) == (
        "https",
        "receiver.example.cn",
        8443,
        "/a/b?c=d&e",
    )
    assert target_of("https://example.cn", PUBLIC).path == "/"
    # Spellings of addresses that the system's resolver understands are names here, and looked at when they are resolved.
    for name in ("2130706433", "0x7f.1", "127.1", "017700000001"):
        assert target_of(f"https://{name}/", PUBLIC).host == name


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/"):
        try:
            target = target_of(url, PUBLIC)
        except TargetRefusedError:
            continue
        assert target.scheme == "https"
        assert target.port in (443, 8443)


def test_a_long_name_is_looked_at_in_no_time() -> None:
    with pytest.raises(TargetRefusedError):
        target_of("https://" + "a" * 1900 + "!/", PUBLIC)
