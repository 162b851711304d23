//! How long a tool asks to wait: `Retry-After`, and the rate limits of GitHub and GitLab.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use http::{HeaderMap, StatusCode};

/// How long a reply asks to wait, and why; nothing for a reply that does not ask.
///
/// 429 always does. GitHub answers 403, too, or 200 to GraphQL; then the headers or the body tell: `says_so`.
pub(super) fn asked(status: StatusCode, headers: &HeaderMap, says_so: bool) -> Option<(Option<Duration>, String)> {
    let retry_after = retry_after(headers);
    let is_used_up = remaining(headers) == Some(0);
    let is_limited = status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::FORBIDDEN && (retry_after.is_some() || is_used_up))
        || says_so;
    if !is_limited {
        return None;
    }
    let wait = retry_after.or_else(|| if is_used_up { reset(headers) } else { None });
    let why = if says_so && status.is_success() {
        "the tool's rate limit is used up".to_owned()
    } else {
        format!("the tool's rate limit is used up (status {})", status.as_u16())
    };
    Some((wait, why))
}

/// `Retry-After`, in seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, "retry-after")?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?.timestamp();
    Some(Duration::from_secs(u64::try_from(until - now(headers)).unwrap_or(0)))
}

fn remaining(headers: &HeaderMap) -> Option<u64> {
    let name = ["x-ratelimit-remaining", "ratelimit-remaining"].into_iter().find_map(|name| text(headers, name));
    name?.parse().ok()
}

/// When the limit is reset: the second after the epoch. One second more, since seconds are cut off.
fn reset(headers: &HeaderMap) -> Option<Duration> {
    let at = ["x-ratelimit-reset", "ratelimit-reset"].into_iter().find_map(|name| text(headers, name))?;
    let at: i64 = at.parse().ok()?;
    Some(Duration::from_secs(u64::try_from(at.saturating_sub(now(headers)).saturating_add(1)).unwrap_or(0)))
}

/// The second that it is for the tool, whose clock may be another than ours.
fn now(headers: &HeaderMap) -> i64 {
    let of_tool = text(headers, "date").and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    of_tool.map_or_else(
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed()),
        |date| date.timestamp(),
    )
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A wait in words: "47 min".
pub(in crate::connector) fn show(wait: Duration) -> String {
    match wait.as_secs() {
        0 => format!("{} ms", wait.as_millis()),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}
