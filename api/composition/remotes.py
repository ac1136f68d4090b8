"""Repositories elsewhere: how they are reached, and as whom."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from intents.documents import of_spec
from intents.kinds import PlatformSpec
from intents.kinds import platform as kinds
from intents.tree import PLATFORM_PATH, Tree
from reconciler.ports.forge import Forge
from reconciler.ports.remotes import RemoteLedger
from reconciler.services.credentials import Credentials
from reconciler.services.layout import Layout
from reconciler.stores.forges.app_tokens import AppTokens
from reconciler.stores.forges.gitea import GiteaForge
from reconciler.stores.forges.github import GitHubForge
from reconciler.stores.git.remote import GitRemote
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.home import Home
from reconciler.workers.home_branch import HomeBranch

Token = Callable[[], str]


@dataclass
class Remotes:
    """Makes remotes and forges of addresses; a token is looked up whenever one is needed."""

    layout: Layout
    _apps: dict[tuple[str, str], AppTokens] = field(default_factory=dict)
    _forges: dict[tuple[kinds.ForgeProvider, str], Forge] = field(default_factory=dict)

    @property
    def credentials(self) -> Credentials:
        """Where credentials are found."""
        return Credentials(self.layout.credentials)

    def git(self, address: str) -> GitRemote:
        """Return the repository at an address as a remote of the one here."""
        return GitRemote(self.layout.repository, address, self.token(address))

    def forge(self, at: kinds.Forge) -> Forge:
        """Return a repository by the API of its forge; always the same one, which knows the forge's limits."""
        place = (at.provider, at.url)
        if place not in self._forges:
            made = GiteaForge if at.provider is kinds.ForgeProvider.GITEA else GitHubForge
            self._forges[place] = made(at.url, self.token(at.url))
        return self._forges[place]

    def webhook_secret(self, address: str) -> str | None:
        """Return what the forge at an address signs its webhooks with, or None where nothing says so."""
        found = self.credentials.of(address)
        return None if found is None or found.webhook_secret is None else found.webhook_secret.read()

    def token(self, address: str) -> Token:
        """Return the way to the token for an address; over ssh, the machine's own keys do."""
        return lambda: "" if address.startswith("ssh://") else self._token(address)

    def _token(self, address: str) -> str:
        found = self.credentials.expected(address)
        if found.app is not None:
            known = self._apps.setdefault((address, found.app.id), AppTokens(address, found.app.id, found.app.key.read))
            return known()
        return found.token.read() if found.token is not None else ""


@dataclass
class Homes:
    """The forge that is main's home, by the platform.yaml of a tree."""

    repository: GitRepository
    ledger: RemoteLedger
    remotes: Remotes
    _known: dict[str, Home] = field(default_factory=dict)

    def __call__(self, tree: Tree) -> Home | None:
        """Return it, or None where main lives here."""
        address = home_address(tree)
        if address is None:
            return None
        if address not in self._known:
            branch = HomeBranch(self.repository, self.remotes.git(address))
            self._known[address] = Home(branch, self.ledger, time.monotonic)
        return self._known[address]

    def look(self) -> None:
        """Let the next turn look again."""
        for home in self._known.values():
            home.look()


def home_address(tree: Tree) -> str | None:
    """Return the address of the forge that is home; None where main lives here."""
    platform = of_spec(tree.get(PLATFORM_PATH), PlatformSpec)
    forge = platform.spec.repository.forge if platform else None
    return forge.url if forge else None
