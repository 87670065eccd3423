"""How a machine's stores are made to trust a certificate, and how that is undone: words only."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from shlex import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One place where authorities are kept; commands for a shell.

    Attributes:
        note: what to know besides.
    """

    name: str
    trust: tuple[str, ...]
    undo: tuple[str, ...]
    note: str = ""


_LINUX = {
    "debian": ("/usr/local/share/ca-certificates/replayproxy.crt", "update-ca-certificates"),
    "fedora": ("/etc/pki/ca-trust/source/anchors/replayproxy.crt", "update-ca-trust"),
    "suse": ("/etc/pki/trust/anchors/replayproxy.crt", "update-ca-certificates"),
    "arch": ("/etc/ca-certificates/trust-source/anchors/replayproxy.crt", "update-ca-trust"),
}
_CACERTS = "-cacerts -storepass changeit"
_LIKE = {"ubuntu": "debian", "alpine": "debian", "rhel": "fedora", "centos": "fedora"}


def stores(
    ca_file: Path, *, platform: str, linux: str = "", sha1: str, alias: str = "replayproxy"
) -> tuple[Store, ...]:
    """The places of this kind of machine.

    Args:
        platform: as `sys.platform`.
        linux: `ID` and `ID_LIKE` of /etc/os-release.
        sha1: the certificate's fingerprint, hexadecimal: what Windows and macOS know it by.
    """
    path = quote(str(ca_file))
    java = Store(
        name="Java",
        trust=(f"keytool -importcert -noprompt -alias {alias} -file {path} {_CACERTS}",),
        undo=(f"keytool -delete -alias {alias} {_CACERTS}",),
        note="For one program alone, without touching Java: replayproxy ca export --format p12 "
        "--output replayproxy.p12, then java -Djavax.net.ssl.trustStore=replayproxy.p12 "
        "-Djavax.net.ssl.trustStorePassword=changeit ...",
    )
    return (_system(path, ca_file, platform, linux, sha1), _nss(path, platform, alias), java)


def _system(path: str, ca_file: PurePath, platform: str, linux: str, sha1: str) -> Store:
    if platform == "darwin":
        keychain = "/Library/Keychains/System.keychain"
        return Store(
            name="the system (macOS)",
            trust=(f"sudo security add-trusted-cert -d -r trustRoot -k {keychain} {path}",),
            undo=(f"sudo security delete-certificate -t -Z {sha1} {keychain}",),
        )
    if platform == "win32":
        return Store(
            name="the system (Windows, this user)",
            trust=(f'certutil -user -addstore Root "{ca_file}"',),
            undo=(f"certutil -user -delstore Root {sha1}",),
        )
    kinds = [_LIKE.get(word, word) for word in linux.split()]
    kind = next((kind for kind in kinds if kind in _LINUX), "debian")
    place, update = _LINUX[kind]
    return Store(
        name=f"the system ({kind.capitalize()} and the like)",
        trust=(f"sudo cp {path} {place}", f"sudo {update}"),
        undo=(f"sudo rm {place}", f"sudo {update}"),
    )


def _nss(path: str, platform: str, alias: str) -> Store:
    where = "-d sql:$HOME/.pki/nssdb"
    if platform == "linux":
        return Store(
            name="Chromium and other programs with NSS (this user)",
            trust=(f'certutil {where} -A -t "C,," -n {alias} -i {path}',),
            undo=(f"certutil {where} -D -n {alias}",),
            note="certutil is in libnss3-tools. Firefox has a store in its profile: the same "
            "with -d sql:PROFILE (about:profiles), or Settings, Certificates, Import.",
        )
    return Store(
        name="Firefox",
        trust=(),
        undo=(),
        note="set security.enterprise_roots.enabled in about:config and it trusts the system's "
        "store; or Settings, Certificates, Import.",
    )
