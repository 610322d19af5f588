"""watch and stop: who is told of a mailbox's changes, and of which (contract 2.10)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sandbox.gmail.model import Change
from sandbox.gmail.push import Notice, Pusher, Topic
from sandbox.gmail.state import Env, Mailbox
from sandbox.messages import Json

WATCH_KIND = "mailWatch"
TOPIC_KIND = "topic"
WEEK_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Watch:
    """One project's watch of one mailbox."""

    account: str
    project: str
    topic: str
    labels: list[str]
    excludes: bool
    expires: int  # milliseconds

    def wants(self, change: Change) -> bool:
        """Whether a change has to do with the labels that are watched."""
        if not self.labels:
            return True
        touched = bool(set(self.labels) & {*change.labels, *change.changed})
        return touched != self.excludes


class Watches:
    """All watches and topics of this sandbox."""

    def __init__(self, env: Env, pusher: Pusher) -> None:
        self._env = env
        self._pusher = pusher
        self._topics = {key: Topic(**doc) for _, key, doc in env.store.load(TOPIC_KIND)}
        self._watches: dict[tuple[str, str], Watch] = {}
        self._waiting: dict[tuple[str, str], int] = {}
        for _, _, document in env.store.load(WATCH_KIND):
            watch = Watch(**document)
            self._watches[watch.account, watch.project] = watch

    # ------------------------------------------------------------ topics

    def topic(self, name: str) -> Topic | None:
        return self._topics.get(name)

    def put_topic(self, topic: Topic) -> Topic:
        self._topics[topic.name] = topic
        self._env.store.put([(TOPIC_KIND, "", topic.name, asdict(topic))])
        return topic

    def shown(self) -> Json:
        """Topics, watches, and what was pushed, for a test to look at."""
        watches = [asdict(watch) for watch in self._watches.values()]
        return {
            "topics": [asdict(topic) for topic in self._topics.values()],
            "watches": watches,
            "deliveries": self._pusher.deliveries(),
        }

    def forget(self) -> None:
        """No topics and watches any more."""
        rows = [(TOPIC_KIND, "", name, None) for name in self._topics]
        rows += [(WATCH_KIND, a, p, None) for a, p in self._watches]
        self._topics.clear()
        self._watches.clear()
        self._env.store.put(rows)
        self._pusher.clear()

    # ------------------------------------------------------------ watches

    def find(self, account: str, project: str) -> Watch | None:
        """The watch that is there and has not run out."""
        watch = self._watches.get((account, project))
        now = self._env.clock.now() * 1000
        return watch if watch is not None and watch.expires > now else None

    def put(self, watch: Watch, history: int) -> None:
        """Keep a watch; its first message goes out at once."""
        self._watches[watch.account, watch.project] = watch
        row = (WATCH_KIND, watch.account, watch.project, asdict(watch))
        self._env.store.put([row])
        self._push(watch, history, is_first=True)

    def stop(self, account: str, project: str) -> None:
        if self._watches.pop((account, project), None) is not None:
            self._env.store.put([(WATCH_KIND, account, project, None)])

    def notice(self, box: Mailbox, change: Change) -> None:
        """A mailbox has changed; one turn gives one message at most."""
        for account, project in list(self._watches):
            watch = self.find(account, project)
            if account == box.owner and watch is not None and watch.wants(change):
                self._waiting[account, project] = change.id

    def flush(self) -> None:
        """The turn is over: send what it has given rise to."""
        waiting, self._waiting = self._waiting, {}
        for (account, project), history in waiting.items():
            watch = self.find(account, project)
            if watch is not None:
                self._push(watch, history)

    def _push(self, watch: Watch, history: int, *, is_first: bool = False) -> None:
        topic = self._topics.get(watch.topic)
        if topic is not None:
            notice = Notice(topic, watch.account, history)
            self._pusher.put(notice, is_first=is_first)
