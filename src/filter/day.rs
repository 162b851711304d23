//! Days that are told from today: `now`, `now-90d`, `now+2w`, `now-6m`, `now-1y`.

use std::fmt::{self, Display};

use chrono::{Days, Months, NaiveDate};

/// The most days, weeks, months or years from today.
const MOST: u32 = 36_500;

/// A day that is told from today. Shown as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RelativeDay {
    is_before: bool,
    count: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Year,
}

impl RelativeDay {
    /// What `text` says, ignoring case, if it is `now` or begins with `now+` or `now-`.
    ///
    /// # Errors
    /// What would be right, where it goes on otherwise than such a day does.
    pub(super) fn read(text: &str) -> Option<Result<Self, String>> {
        let rest = text.get(..3).filter(|now| now.eq_ignore_ascii_case("now")).map(|_| &text[3..])?;
        let is_before = match rest.chars().next() {
            None => return Some(Ok(Self { is_before: false, count: 0, unit: Unit::Day })),
            Some('-') => true,
            Some('+') => false,
            Some(_) => return None,
        };
        let wrong = || {
            let least =
                "a day relative to today is written `now`, `now+N` or `now-N`, with d, w, m or y after the number";
            format!("{least}: `now-90d` is 90 days ago, and `now+1m` in a month")
        };
        let (number, unit) =
            rest[1..].split_at(rest[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - 1));
        let unit = match unit {
            "d" | "D" => Unit::Day,
            "w" | "W" => Unit::Week,
            "m" | "M" => Unit::Month,
            "y" | "Y" => Unit::Year,
            _ => return Some(Err(wrong())),
        };
        Some(match number.parse::<u32>() {
            Ok(count) if count <= MOST => Ok(Self { is_before, count, unit }),
            Err(_) if number.is_empty() => Err(wrong()),
            _ => Err(format!("a day is at most {MOST} days, weeks, months or years from today")),
        })
    }

    /// The day that it is, `today` being today. A month or year that has no such day ends with its last.
    pub(super) fn on(self, today: NaiveDate) -> Option<NaiveDate> {
        let Self { is_before, count, unit } = self;
        let days = |days: u32| {
            let days = Days::new(days.into());
            if is_before { today.checked_sub_days(days) } else { today.checked_add_days(days) }
        };
        let months = |months: u32| {
            let months = Months::new(months);
            if is_before { today.checked_sub_months(months) } else { today.checked_add_months(months) }
        };
        match unit {
            Unit::Day => days(count),
            Unit::Week => days(count * 7),
            Unit::Month => months(count),
            Unit::Year => months(count * 12),
        }
    }
}

impl Display for RelativeDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_before, count, unit } = self;
        let sign = if *is_before { '-' } else { '+' };
        let unit = match unit {
            _ if *count == 0 => return f.write_str("now"),
            Unit::Day => 'd',
            Unit::Week => 'w',
            Unit::Month => 'm',
            Unit::Year => 'y',
        };
        write!(f, "now{sign}{count}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(text: &str, today: &str, day: &str) {
        let read = RelativeDay::read(text).unwrap().unwrap();
        assert_eq!(read.on(today.parse().unwrap()).unwrap().to_string(), day);
    }

    #[test]
    fn days_are_told_from_today() {
        is("now", "2026-03-31", "2026-03-31");
        is("NOW-90D", "2026-03-31", "2025-12-31");
        is("now+2w", "2026-03-31", "2026-04-14");
        is("now-0y", "2026-03-31", "2026-03-31");
        is("now+36500y", "2026-03-31", "+38526-03-31");
        is("now-36500y", "2026-03-31", "-34474-03-31");
    }

    #[test]
    fn a_month_that_is_too_short_ends_with_its_last_day() {
        is("now-1m", "2026-03-31", "2026-02-28");
        is("now-1m", "2028-03-31", "2028-02-29");
        is("now+1m", "2026-01-31", "2026-02-28");
        is("now-13m", "2026-03-30", "2025-02-28");
        is("now-1y", "2028-02-29", "2027-02-28");
        is("now+4y", "2028-02-29", "2032-02-29");
    }

    #[test]
    fn they_are_shown_in_one_way() {
        let shown = |text| RelativeDay::read(text).map(|read| read.map(|day| day.to_string()).ok());
        let forms = ["now", "Now-07D", "now+1Y", "now-0w", "now-36500m"];
        assert_eq!(forms.map(|text| shown(text).unwrap().unwrap()), ["now", "now-7d", "now+1y", "now", "now-36500m"]);
        for wrong in
            ["now-", "now+d", "now-1", "now-1h", "now-1dd", "now-36501d", "now-99999999999d", "now--1d", "now-1é"]
        {
            assert_eq!(shown(wrong), Some(None), "{wrong}");
        }
        for other in ["", "no", "nowhere", "now 1d", "today", "n\u{f6}w", "2026-01-01"] {
            assert_eq!(shown(other), None, "{other}");
        }
    }
}
