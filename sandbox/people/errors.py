"""People's own refusals, in the words reported in contract section 2.3."""

from __future__ import annotations

from sandbox.errors import TYPE_PREFIX, ApiError, error_info, invalid
from sandbox.messages import Json

_DETAILS = "type.googleapis.com/google.people.v1."
_GUIDE = "https://developers.google.com/people/api/rest/v1/people/"


def mask_missing(name: str, page: str = "get") -> ApiError:
    return invalid(
        f"{name} mask is required. Please specify one or more valid paths. Valid paths "
        f"are documented at {_GUIDE}{page}."
    )


def mask_invalid(name: str, path: str, page: str = "get") -> ApiError:
    return invalid(
        f'Invalid {name} mask path: "{path}". Valid paths are documented at '
        f"{_GUIDE}{page}."
    )


def sync_token_expired(status: str) -> ApiError:
    """400 with reason EXPIRED_SYNC_TOKEN; reports differ on the status (2.3)."""
    return ApiError(
        status,
        "Sync token is expired. Clear local cache and retry call without the sync "
        "token.",
        details=[error_info("EXPIRED_SYNC_TOKEN", "people.googleapis.com")],
    )


def stale_etag() -> ApiError:
    return ApiError(
        "FAILED_PRECONDITION",
        "Request person.etag is different than the current person.etag. Clear local "
        "cache and get the latest person.",
    )


def etag_missing() -> ApiError:
    return invalid(
        "Request must set person.etag or person.metadata.sources.etag for the source "
        "that is being updated."
    )


def no_contact_source() -> ApiError:
    return invalid(
        "Request must set person.metadata.sources with a source of type CONTACT for "
        "the contact that is being updated."
    )


def more_than_one(field: str) -> ApiError:
    return invalid(f"Cannot have more than one person.{field} per source.")


def no_memberships() -> ApiError:
    return invalid(
        "Request must set at least one contact group membership when updating "
        "person.memberships."
    )


def overflow() -> ApiError:
    """The account is full, trash included (4.9); the code was never seen [M]."""
    return ApiError("FAILED_PRECONDITION", "MY_CONTACTS_OVERFLOW_COUNT")


def parameters_differ(token: str) -> ApiError:
    return invalid(
        f"Request parameters must match the first call that provided the {token}. "
        f"Clear local cache and retry call without the {token}."
    )


def concurrent(status: str) -> ApiError:
    """Two mutates of one user at a time (4.6: "latency and failures")."""
    texts = {
        "ABORTED": "The operation was aborted because of a concurrent mutate request "
        "for the same user. Mutate requests for the same user should be sent "
        "sequentially.",
        "UNAVAILABLE": "The service is currently unavailable.",
    }
    return ApiError(status, texts[status])


def duplicate_group() -> ApiError:
    return ApiError("ALREADY_EXISTS", "Contact group name already exists.")


_QUOTAS = {
    "critical": (
        "Critical read requests (Contact and Profile Reads)",
        "per minute per user",
        "CriticalReadsPerMinutePerProjectPerUser",
        "critical_read_requests",
    ),
    "reads": (
        "Read requests (All reads)",
        "per minute per user",
        "ReadsPerMinutePerProjectPerUser",
        "read_requests",
    ),
    "photos": (
        "Photo write requests",
        "per minute per user",
        "PhotoWritesPerMinutePerProjectPerUser",
        "photo_write_requests",
    ),
    "full_sync": (
        "Full sync requests",
        "per minute per user",
        "FullSyncsPerMinutePerProjectPerUser",
        "full_sync_requests",
    ),
}


def over_quota(name: str, project: str) -> ApiError:
    """429 RATE_LIMIT_EXCEEDED with its metadata (2.1)."""
    label, per, limit, metric = _QUOTAS[name]
    metadata = {
        "quota_limit": limit,
        "quota_metric": f"people.googleapis.com/{metric}",
        "service": "people.googleapis.com",
        "consumer": f"projects/{project}",
    }
    return ApiError(
        "RESOURCE_EXHAUSTED",
        f"Quota exceeded for quota metric '{label}' and limit '{label} {per}' of "
        f"service 'people.googleapis.com' for consumer 'project_number:{project}'.",
        details=[error_info("RATE_LIMIT_EXCEEDED", "googleapis.com", metadata)],
    )


def over_fbs() -> ApiError:
    """The account's own write budget, hours to recover (2.3)."""
    detail: Json = {
        "@type": TYPE_PREFIX + "QuotaFailure",
        "violations": [{"subject": "user", "description": "FBS quota limit exceeded"}],
    }
    return ApiError("RESOURCE_EXHAUSTED", "FBS quota limit exceeded.", details=[detail])


def batch_failed(kind: str, wrong: dict[str, ApiError]) -> ApiError:
    """One refusal for a whole batch, listing each invalid contact (4.6)."""
    first = next(iter(wrong.values()))
    error = ApiError(first.status, first.message)
    error.details = [
        {
            "@type": f"{_DETAILS}Batch{kind}ContactsErrorDetails",
            "contactErrors": {key: e.rpc_status() for key, e in wrong.items()},
        }
    ]
    return error
