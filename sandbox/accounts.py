"""The Google accounts of this sandbox, and the profiles an address may belong to."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import asdict, dataclass

from sandbox.messages import Json
from sandbox.people.model import Profile
from sandbox.store import Store

KIND = "account"
PROFILE_KIND = "profile"
_CONSUMER = ("gmail.com", "googlemail.com")


@dataclass(frozen=True, slots=True)
class Account:
    email: str
    sub: str
    given: str
    family: str
    locale: str = "en"

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}".strip()

    @property
    def domain(self) -> str | None:
        """The hosted domain of a Workspace account, the claim `hd`."""
        domain = self.email.rpartition("@")[2]
        return None if domain in _CONSUMER else domain

    @property
    def picture(self) -> str:
        return f"https://photos.sandbox.example/a/{self.sub[-8:]}=s96-c"

    def profile(self) -> Profile:
        return Profile(self.sub, self.email, self.given, self.family)

    def person(self) -> Json:
        """`people/me`: the account's profile and sign-in address."""
        source = {"type": "PROFILE", "id": self.sub}
        metadata = {"primary": True, "sourcePrimary": True, "source": source}
        address = {
            "primary": True,
            "verified": True,
            "sourcePrimary": True,
            "source": {"type": "ACCOUNT", "id": self.sub},
        }
        name = {
            "metadata": metadata,
            "displayName": self.name,
            "familyName": self.family,
            "givenName": self.given,
            "displayNameLastFirst": f"{self.family}, {self.given}",
            "unstructuredName": self.name,
        }
        return {
            "resourceName": f"people/{self.sub}",
            "names": [name],
            "emailAddresses": [{"metadata": address, "value": self.email}],
            "photos": [{"metadata": metadata, "url": self.picture, "default": True}],
            "metadata": {
                "sources": [
                    {
                        "type": "PROFILE",
                        "id": self.sub,
                        "profileMetadata": {
                            "objectType": "PERSON",
                            "userTypes": ["GOOGLE_USER"],
                        },
                    }
                ],
                "objectType": "PERSON",
            },
        }


class Accounts:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._accounts: dict[str, Account] = {}
        self._profiles: dict[str, Profile] = {}
        for _, email, document in store.load(KIND):
            self._accounts[email] = Account(**document)
        for _, email, document in store.load(PROFILE_KIND):
            self._profiles[email] = Profile(**document)

    def all(self) -> list[Account]:
        with self._lock:
            return list(self._accounts.values())

    def get(self, email: str) -> Account | None:
        return self._accounts.get(email.casefold())

    def by_hint(self, hint: str) -> Account | None:
        """An account by its address or its sub, as `login_hint` allows (3.2)."""
        for account in self.all():
            if hint.casefold() in (account.email, account.sub):
                return account
        return None

    def profile_of(self, address: str) -> Profile | None:
        """Whose verified address this is: an account here, or a profile added."""
        account = self._accounts.get(address)
        return account.profile() if account else self._profiles.get(address)

    def ensure(self, email: str, name: str = "") -> Account:
        """The account of an address, created if it is new."""
        address = email.strip().casefold()
        if "@" not in address:
            raise ValueError(f"not an e-mail address: {email!r}")
        with self._lock:
            known = self._accounts.get(address)
            if known is not None:
                return known
            local = address.partition("@")[0]
            words = name.split() or [w.capitalize() for w in local.split(".")]
            account = Account(
                address,
                _sub(address),
                " ".join(words[:-1]) or words[0],
                words[-1] if len(words) > 1 else "",
            )
            self._store.put([(KIND, "", address, asdict(account))])
            self._accounts[address] = account
            return account

    def add_profile(self, email: str, given: str, family: str) -> Profile:
        """A Google user without an account here, whose address is verified."""
        address = email.strip().casefold()
        profile = Profile(_sub(address), address, given, family)
        with self._lock:
            self._store.put([(PROFILE_KIND, "", address, asdict(profile))])
            self._profiles[address] = profile
        return profile


def _sub(address: str) -> str:
    """21 digits, always the same for one address."""
    number = int(hashlib.sha256(address.encode()).hexdigest(), 16)
    return "1" + str(number % 10**20).zfill(20)
