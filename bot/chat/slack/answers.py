"""What Slack's refusals mean for a delivery (error lists: docs.slack.dev/reference/methods/chat.postMessage)."""

from __future__ import annotations

from collections.abc import Mapping

from slack_sdk.errors import SlackApiError

from bot.errors import OutcomeUnknown, RateLimited, Refusal, Refused, SendError, Unavailable

ANSWERS = {  # what to do about it -> Slack's words for it
    Refusal.AUTH: "invalid_auth not_authed account_inactive token_revoked token_expired missing_scope "
    "org_login_required team_access_not_granted not_allowed_token_type",
    Refusal.GONE: "channel_not_found is_archived channel_is_archived restricted_action read_only_channel "
    "restricted_action_read_only_channel restricted_action_thread_only_channel cannot_post_to_channel",
    Refusal.NOT_A_MEMBER: "not_in_channel no_permission",
    Refusal.FORM: "msg_too_long invalid_blocks invalid_blocks_format msg_blocks_too_long no_text invalid_arguments "
    "invalid_metadata_format invalid_metadata_schema metadata_too_large markdown_text_conflict",
}
HINTS = {
    Refusal.AUTH: "check SLACK_BOT_TOKEN and the app's scopes",
    Refusal.GONE: "the channel is gone, archived or closed to apps: choose another",
    Refusal.NOT_A_MEMBER: "invite Wardwatch to the channel with /invite",
}
CROWDED = ("rate_limited", "message_limit_exceeded")  # the workspace as a whole posts too much
AGAIN = ("request_timeout", "team_added_to_org")  # certainly not done; worth another try
UNCLEAR = ("fatal_error", "internal_error", "service_unavailable")  # it may have been done
DEFAULT_PAUSE = 30.0  # seconds, where a 429 names none


def meaning(error: SlackApiError) -> SendError:
    """What Slack's answer means. After a 5xx its body may be HTML, so that nothing but the status can be read."""
    response = error.response  # the SDK's own, or aiohttp's where the body was no JSON
    status = int(getattr(response, "status_code", None) or getattr(response, "status", None) or 0)
    content = getattr(response, "data", None)
    code = str(content.get("error", "")) if isinstance(content, dict) else ""
    if status == 429 or code == "ratelimited" or code in CROWDED:
        pause = _retry_after(response.headers)
        return RateLimited(f"Slack asks for a pause of {pause:g} s", retry_after=pause, everywhere=code in CROWDED)
    if code in AGAIN or (not code and 400 <= status < 500):
        return Unavailable(f"Slack did not take it (HTTP {status}{', ' + code if code else ''})")
    if status >= 500 or not code or code in UNCLEAR:
        return OutcomeUnknown(f"Slack gave no clear answer (HTTP {status}{', ' + code if code else ''})")
    reason = next((reason for reason, codes in ANSWERS.items() if code in codes.split()), Refusal.OTHER)
    hint = HINTS.get(reason, "")
    return Refused(f"Slack refuses: {code}{'; ' + hint if hint else ''}", reason=reason, code=code)


def _retry_after(headers: Mapping[str, str]) -> float:
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(value) if value.isascii() and value.isdigit() else DEFAULT_PAUSE
