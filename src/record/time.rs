//! Points in time as Helm's records have them, and how Helm prints them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 24 * 3600;
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A point in time with the offset that it was written with; ordered by the point alone where two differ in it.
///
/// Displayed as RFC 3339 with up to nine digits of a second, trailing zeros left out: the form that Go writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970 in UTC.
    seconds: i64,
    nanos: u32,
    /// Minutes east of UTC.
    offset: i16,
}

impl Time {
    /// Reads RFC 3339 as strictly as Go's decoder of JSON; none for any other text.
    pub fn parse(text: &str) -> Option<Time> {
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let is = |at: usize, byte: u8| text.as_bytes().get(at) == Some(&byte);
        if !(is(4, b'-') && is(7, b'-') && is(10, b'T') && is(13, b':') && is(16, b':')) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let whole = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
        if !whole || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let mut rest = text.get(19..)?;
        let mut nanos = 0;
        if let Some(fraction) = rest.strip_prefix('.') {
            let end = fraction.find(|c: char| !c.is_ascii_digit())?;
            let digits: String = fraction.chars().take(end.min(9)).collect();
            nanos = format!("{digits:0<9}").parse().ok().filter(|_| end > 0)?;
            rest = fraction.get(end..)?;
        }
        let offset = match rest.as_bytes() {
            [b'Z'] => 0,
            [sign @ (b'+' | b'-'), digits @ ..] if digits.len() == 5 => {
                let at = text.len() - 5;
                let (hours, minutes) = (number(at, at + 2)?, number(at + 3, at + 5)?);
                if !is(at + 2, b':') || hours > 23 || minutes > 59 {
                    return None;
                }
                let minutes = hours * 60 + minutes;
                if *sign == b'-' { -minutes } else { minutes }
            }
            _ => return None,
        };
        let local = days_before(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
        Some(Time { seconds: local - offset * 60, nanos, offset: i16::try_from(offset).ok()? })
    }

    /// Whole seconds since 1970.
    pub fn unix(self) -> i64 {
        self.seconds
    }

    /// Whether it is the time that Go has where none was set.
    pub(super) fn is_zero(self) -> bool {
        self.seconds == days_before(1, 1, 1) * DAY && self.nanos == 0
    }

    /// As `list` of Helm prints it (Go's `Time.String`): `2026-01-31 10:00:00.5 +0200 +0200`.
    ///
    /// Go names the zone where it is that of the machine; r8 knows no names but UTC.
    pub fn long(self) -> String {
        let (year, month, day, clock) = self.local();
        let offset = self.offset_text("");
        let zone = if self.offset == 0 { "UTC" } else { &offset };
        format!("{year:04}-{month:02}-{day:02} {clock}{} {offset} {zone}", self.fraction())
    }

    /// As `history` of Helm prints it (Go's `ANSIC`): `Sat Jan 31 10:00:00 2026`.
    pub fn short(self) -> String {
        let (year, month, day, clock) = self.local();
        let days = (self.seconds + i64::from(self.offset) * 60).div_euclid(DAY);
        // 1970 began with a Thursday.
        let weekday = WEEKDAYS[(days + 4).rem_euclid(7) as usize];
        format!("{weekday} {} {day:2} {clock} {year:04}", MONTHS[month as usize - 1])
    }

    /// Year, month, day and the time of day where it was written.
    fn local(self) -> (i64, i64, i64, String) {
        let seconds = self.seconds + i64::from(self.offset) * 60;
        let (year, month, day) = date_of(seconds.div_euclid(DAY));
        let second = seconds.rem_euclid(DAY);
        (year, month, day, format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60))
    }

    fn fraction(self) -> String {
        if self.nanos == 0 {
            return String::new();
        }
        format!(".{:09}", self.nanos).trim_end_matches('0').to_owned()
    }

    fn offset_text(self, between: &str) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.unsigned_abs();
        format!("{sign}{:02}{between}{:02}", minutes / 60, minutes % 60)
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Time {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
        Time { seconds, nanos: since.subsec_nanos(), offset: 0 }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, clock) = self.local();
        let zone = if self.offset == 0 { "Z".to_owned() } else { self.offset_text(":") };
        write!(f, "{year:04}-{month:02}-{day:02}T{clock}{}{zone}", self.fraction())
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to a date of the Gregorian calendar (Howard Hinnant, `chrono-Compatible Low-Level Date Algorithms`).
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date that lies so many days after 1970 began.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era + i64::from(month > 9);
    (year, if month > 9 { month - 9 } else { month + 3 }, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn times_are_printed_as_go_prints_them() {
        for (text, written, long, short) in [
            (
                "2026-11-25T09:06:56.806517781Z",
                "2026-11-25T09:06:56.806517781Z",
                "2026-11-25 09:06:56.806517781 +0000 UTC",
                "Wed Nov 25 09:06:56 2026",
            ),
            (
                "2024-02-29T23:59:59.500+05:30",
                "2024-02-29T23:59:59.5+05:30",
                "2024-02-29 23:59:59.5 +0530 +0530",
                "Thu Feb 29 23:59:59 2024",
            ),
            (
                "1969-12-31T22:00:00-02:00",
                "1969-12-31T22:00:00-02:00",
                "1969-12-31 22:00:00 -0200 -0200",
                "Wed Dec 31 22:00:00 1969",
            ),
            (
                "2026-01-05T00:00:00+00:00",
                "2026-01-05T00:00:00Z",
                "2026-01-05 00:00:00 +0000 UTC",
                "Mon Jan  5 00:00:00 2026",
            ),
        ] {
            let time = Time::parse(text).unwrap();
            assert_eq!((time.to_string(), time.long(), time.short()), (written.into(), long.into(), short.into()));
        }
    }

    #[test]
    fn what_go_does_not_read_is_no_time() {
        for text in [
            "",
            "2026-01-01 00:00:00",
            "2026-01-01T00:00:00",
            "2026-01-01t00:00:00z",
            "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00Z ",
            "2026-1-1T00:00:00Z",
            "+026-01-01T00:00:00Z",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_ordered_by_when_it_is() {
        let [east, utc] = ["2026-01-01T01:00:00+02:00", "2025-12-31T23:30:00Z"].map(|text| Time::parse(text).unwrap());
        assert!(east < utc);
        assert!(Time::parse("0001-01-01T00:00:00Z").unwrap().is_zero());
    }

    proptest! {
        #[test]
        fn every_time_is_read_back(seconds in 0_u64..253_000_000_000, nanos in 0_u32..1_000_000_000) {
            let time = Time::from(UNIX_EPOCH + Duration::new(seconds, nanos));
            prop_assert_eq!(Time::parse(&time.to_string()), Some(time));
            prop_assert_eq!(time.unix(), seconds as i64);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*|[0-9:TZ.+-]{0,35}|2026-01-01T00:00:00\\PC{0,8}") {
            let _ = Time::parse(&text);
        }
    }
}
