"""Why an item is there: codes for programs, sentences for people (HIS-2, HIS-5)."""

from __future__ import annotations

from types import MappingProxyType

REASONS = MappingProxyType(
    {
        "mail_only": "Nobody else in the CRM has the address.",
        "mail_most_history": "Several have the address; this one has the most history.",
        "mail_most_recent": "Several have the address and as much history; this one "
        "was in touch last.",
        "mail_first": "Several have the address, and nothing tells them apart.",
        "recorded_before": "It was recorded before, from this mailbox or another.",
        "missing_contact": "No contact or lead has the address. It is recorded by "
        "itself when one appears.",
        "own_address": "It is only between your own addresses.",
        "colleagues_only": "It is only between colleagues.",
        "never_record": "The address is on the list of those that are never recorded.",
        "no_address": "It names no address that could be looked up.",
        "address": "Both have the same e-mail address.",
        "address_and_name": "Both have the same e-mail address and the same name.",
        "weak_match": "The names agree, and the phone number or the company does, "
        "but there is no common e-mail address.",
        "key": "The Google contact carries the key of this CRM contact.",
        "chosen": "A person chose this record.",
        "merged_elsewhere": "The contact was merged into another one.",
        "no_counterpart": "It was not on the other side yet.",
        "address_of_another": "The address belongs to another contact by its name.",
        "several_candidates": "More than one contact could be meant.",
        "different_last_names": "The address is the same, but the last names differ.",
        "copy_of_linked": "It looks like a copy of a contact that is linked already.",
        "ambiguous_account": "More than one account has this company name.",
        "mail_taken_back": "A person took the message back.",
        "mail_moved": "A person moved the message to where it belongs.",
        "skipped_by_person": "A person chose to leave it alone; Retry asks again.",
        "nothing_mapped": "It holds no field that the other side could take.",
        "edited_in_crm": "It was edited in the CRM.",
        "edited_in_google": "It was edited in Google.",
        "edited_on_both": "It was edited on both sides.",
        "left_group": "It was taken out of the Contact Sync Group.",
        "left_label": "It was taken out of the label in Google.",
        "deleted_in_crm": "It was deleted in the CRM.",
        "deleted_in_google": "It was deleted in Google.",
        "private_in_google": "The event is private now, and private events are left "
        "out, as you chose in Options.",
        "gone_on_both": "It is gone on both sides.",
        "label_restored": "The label was missing in Google and was made again.",
        "company_edited": "The company was edited in Google. It stays there; "
        "the CRM's account is not changed by synchronisation.",
        "changed_meanwhile": "It was changed while it was being written; "
        "it is read again and merged.",
        "left_for_later": "The cycle ended before its turn; the next one goes on.",
        "waiting_for_outcome": "An earlier create got no answer; "
        "it is looked for before it is sent again.",
        "superseded": "A later cycle settled this.",
        "restored": "A person brought a losing value back.",
        "twin": "Both have the same subject, start and length.",
        "same_occurrence": "Both are the same occurrence of a linked series.",
        "colleagues_copy": "It is your copy of an activity that a colleague leads.",
        "completed": "It was completed in the CRM. The event stays, with asterisks.",
        "no_member": "You are no longer leader or member of it in the CRM.",
        "declined_in_crm": "You deleted your activity, which declines the invitation.",
        "declined_in_google": "You deleted your event, which declines the activity.",
        "edit_beats_delete": "It was deleted on one side and edited on the other: "
        "the edit is kept, and it is made again.",
        "forked_in_crm": "You changed an activity that somebody else organises. "
        "You get an event of your own, without guests.",
        "forked_in_google": "You changed an event of an activity that somebody else "
        "leads. You get an activity of your own.",
        "proposed": "You changed what somebody else organises. The original is back; "
        "your change is kept here and shown to the organiser.",
        "proposal_accepted": "You changed what somebody else organises. "
        "The organiser accepted your change.",
        "proposal_declined": "You changed what somebody else organises. "
        "The organiser declined your change; it is kept here.",
        "proposal_replaced": "You changed what somebody else organises, and later "
        "changed it again: the organiser is asked about the later change.",
        "proposal_settled": "You changed what somebody else organises. Nobody need "
        "decide any more: the original has your values, or is gone.",
        "proposal_unasked": "You changed what somebody else organises. The original "
        "is back, and nobody could be asked: the organiser does not synchronise here. "
        "Your change is kept here; tell the organiser yourself.",
        "turned_over": "Somebody else organises it now, or everybody has an own event: "
        "the old event goes, without a word to anybody, and the new one is linked.",
        "series_ended": "Its series is not synchronised any more.",
        "left_list": "It recurs now, or was moved to another task list.",
        "calendar_gone": "A calendar that is only shown is gone, or no longer shared.",
        "completed_import": "It was completed in the CRM. In Google it stays as it is.",
        "import_edited": "It comes from a calendar that is only read, and was edited "
        "in the CRM. Google's values are back; the edit is kept here.",
        "imported_one_by_one": "It repeats now in a way that the CRM cannot express. "
        "Its occurrences come in as single activities.",
        "not_imported_now": "It is synchronised in another way now, and comes in anew.",
        "odd": "It has something that the other side cannot hold.",
        "rejected": "A person rejected the plan.",
    }
)


def sentence(code: str) -> str:
    """Return the sentence for a reason's code."""
    return REASONS.get(code, code)
