"""Every behaviour that is unsure, or that a test wants to turn, as a named switch.

The comment of each names the section of the contract it stands for; [M] means that
nobody has seen Google do it and the default is the stricter reading.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(slots=True)
class Switches:
    # --- people: visibility and feeds
    delay: float = 2.0  # 4.4.8: seconds until the feed shows a write
    feed_overlap: float = 0.0  # section 9: repeat what changed that recently
    short_pages: bool = False  # 11.14: pages shorter than asked, some empty
    shuffle_items: bool = True  # 4.2: items have no guaranteed order
    shuffle_created: bool = True  # 4.6: createdPeople in any order
    sync_expired_status: str = "INVALID_ARGUMENT"  # 2.3; or FAILED_PRECONDITION
    sync_token_days: float = 7.0  # 4.4.6
    sync_token_chain_renews: bool = False  # 4.4.6 [M]
    # --- people: writes
    accept_source_etag: bool = False  # 0.4
    require_contact_source: bool = True  # 4.5
    batch_atomic: bool = True  # 4.6 [M]
    batch_delete_unknown: str = "fail"  # 4.6 [M]; or ignore
    rename_on_verified_email: bool = True  # 4.3
    old_names_resolve: bool = True  # section 12
    contact_cap: int = 25_000  # 4.9, trash included
    trash_days: float = 30.0  # 4.5
    group_names_case_sensitive: bool = False  # 4.7
    concurrent_mutates: str = "aborted"  # 4.6; or unavailable, latency
    concurrent_latency: float = 0.2  # 4.6: what the second one waits in any case
    mutate_seconds: float = 0.0  # how long a mutate holds the account
    # --- quotas, section 4.9
    quota: bool = True
    critical_reads_per_minute: int = 90
    reads_per_minute: int = 180
    photo_writes_per_minute: int = 60
    full_syncs_per_minute: int = 10  # 4.4.7: exists, value unknown
    batch_cost: str = "one"  # section 12; or each
    write_quota_executes: bool = False  # 2.4 [M]: 429 after the write was done
    fbs_budget: int = 0  # 4.9: writes per six hours; 0 is no limit
    retry_after: int = 0  # 2.4: seconds in a Retry-After header; 0 is none
    # --- calendar: events and their copies
    calendar_delay: float = 0.0  # section 3 [M]: seconds until lists show a write
    calendar_batch_parts: int = 1000  # 0.5; the older text says 50
    refuse_client_ids: bool = False  # 5.8: one report says that any id is refused
    copy_delay: float = 0.0  # seconds until guests' copies and answers arrive
    conference_delay: float = 1.0  # 5.1: pending until then
    undelete: bool = False  # 5.5: status=confirmed brings a deleted event back
    reimport: str = "duplicate"  # 5.5; or update
    put_keeps_conference: bool = False  # 5.1: a PUT without the version wipes it
    refuse_times_on_insert: bool = True  # 5.1: created or updated on an insert
    added_answers_reset: bool = True  # 5.1: guests come without an answer
    guests_write_private: bool = True  # 5.3: false: also these are the organizer's
    batch_conflicts: bool = True  # 1.3: two writes of one event in one batch
    reminders_in_feed: bool = False  # 5.1: true: they move the etag and the feed
    long_properties: str = "drop"  # 5.3 [M]; or refuse
    description_limit: int = 8192  # 5.1: the limit exists, the value is unknown
    # --- calendar: lists and tokens
    property_filter: str = "or"  # 0.6; or and
    tombstone_details: bool = False  # 5.4.3: deleted events as more than an id
    tombstone_days: float = 30.0  # 5.4.3: lists show deleted events so long
    calendar_token_days: float = 0.0  # section 3: unspecified; 0 is no limit
    updated_min_days: float = 30.0  # 2.2
    window_limits_incremental: bool = False  # section 12
    # --- calendar: quotas
    calendar_requests_per_minute: int = 600  # 5.7: per user
    calendar_project_requests_per_minute: int = 10_000  # 5.7
    calendar_rate_error: str = "403"  # 2.2; or user (403), 429
    event_creations_budget: int = 0  # 5.7: per account in six hours; 0 is no limit
    invitations_budget: int = 0  # 5.7: to strangers; 0 is no limit
    # --- calendar: channels
    watch_http_loopback: bool = False  # 5.6: also http:// addresses of this machine
    watch_duplicates: bool = False  # 5.6: messages come twice
    watch_drops: float = 0.0  # 5.6: this part of the messages is lost
    # --- tasks
    tasks_delay: float = 0.0  # section 12: seconds until lists show a write
    old_tasklist_pages: bool = False  # 6.1: 20 lists a page, 100 at most
    task_put_needs_id: bool = True  # 6.5 [M]
    dead_tasks: str = "missing"  # 6.5 [M]: 404 for writes; or tolerated
    reopening_clears_completed: bool = False  # 6.2 [M]
    tasks_updated_min_inclusive: bool = False  # 6.4.2
    tasks_same_updated: float = 0.0  # 11.23: edits so close share one `updated`
    tasklist_updated_follows: bool = False  # section 12: edits of tasks move a list's
    task_tombstone_days: float = 30.0  # 6.4.6 [M]
    move_keeps_task_id: bool = False  # section 12
    tasks_per_list: int = 20_000  # 6.2: not hidden ones
    tasks_in_all: int = 100_000  # 6.2
    subtasks_per_task: int = 2_000  # 6.2
    task_lists: int = 2_000  # 6.1
    tasks_per_day: int = 50_000  # 6.6: requests of all users; 0 is no limit
    # --- Gmail: messages, labels, history
    mail_history_days: float = 7.0  # 2.9: older records are gone, then 404
    mail_empty_pages: bool = False  # 2.9: every other page of history is empty
    mail_inline_bytes: int = 100_000  # 2.3: larger texts come by an attachment id
    attachment_id_seconds: float = 3600.0  # 2.3: short-lived, the time is unknown
    label_conflict_reason: str = "aborted"  # 2.6; or alreadyExists, duplicate
    mail_labels: int = 10_000  # 2.6
    mail_recipients: int = 500  # 2.11
    mail_sends_per_day: int = 2_000  # 2.11
    mail_rewrites_message_id: bool = False  # 2.11 [M]
    # --- Gmail: quotas
    mail_units_per_minute: int = 6_000  # 2.13: per user
    old_mail_units: bool = False  # 2.13: a project made before May 2026
    mail_old_units_per_minute: int = 15_000  # 2.13
    mail_project_units_per_minute: int = 1_200_000  # 2.13
    mail_rate_error: str = "403"  # 2.14; or rate (403), 429
    mail_concurrent_requests: int = 25  # 2.13: also of one batch; 0 is no limit
    # --- Gmail: push
    push_limit: bool = True  # 2.10: one a second and user, surplus is dropped
    push_duplicates: bool = False  # 2.10: messages come twice
    push_out_of_order: bool = False  # 2.10: a message comes after the next one
    push_drops: float = 0.0  # 2.10: this part of the messages is lost
    push_history_id: str = "number"  # 2.10; or string
    # --- OAuth
    consent: str = "page"  # or auto
    oauth_testing: bool = False  # 3.6: refresh tokens live seven days
    access_token_seconds: int = 3599  # 3.3
    code_seconds: int = 600  # 3.3 [M]
    refresh_tokens_per_account: int = 100  # 3.6
    revoked_access_tokens_live: bool = False  # 3.6 [M]
    scope_in_callback: bool = True  # 3.2 [M]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def update(self, values: dict[str, Any]) -> None:
        """Set what is given.

        Raises:
            ValueError: a name or a type does not fit; nothing is changed then.
        """
        known = {f.name: type(getattr(self, f.name)) for f in fields(self)}
        cleaned: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown switch {name!r}")
            wanted = known[name]
            if wanted is float and type(value) is int:
                cleaned[name] = float(value)
            elif type(value) is wanted:
                cleaned[name] = value
            else:
                raise ValueError(f"switch {name!r} takes {wanted.__name__}")
        for name, value in cleaned.items():
            setattr(self, name, value)
