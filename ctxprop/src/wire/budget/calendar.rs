//! Dates of the Gregorian calendar, in the years that RFC 3339 can say, and their distance from 1970.
//!
//! It is all that one header needs of a calendar; a crate for it (`time`, with `deranged` and `num-conv`) was a quarter of
//! what this crate took to build.

pub(super) const SECONDS_A_DAY: i64 = 86_400;

/// 1970-01-01 counted from 0000-03-01.
const EPOCH: i64 = 719_468;

/// In 400 years, after which the calendar repeats.
const DAYS_AN_ERA: i64 = 146_097;

/// A date in the years 0 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: u32,
    pub(super) month: u32,
    pub(super) day: u32,
}

impl Date {
    /// `None` where the month or the year has no such day.
    pub(super) fn new(year: u32, month: u32, day: u32) -> Option<Date> {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u32::from(is_leap),
            1..=12 => 31,
            _ => return None,
        };
        (year <= 9_999 && (1..=days).contains(&day)).then_some(Date { year, month, day })
    }

    /// Years begin in March here, so that the leap day is the last of one, and the months before a day of the year are
    /// a division (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    pub(super) fn days_since_1970(self) -> i64 {
        let month = i64::from((self.month + 9) % 12);
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        year * 365 + leaps + (153 * month + 2) / 5 + i64::from(self.day) - 1 - EPOCH
    }

    /// The date so many days after 1970-01-01; `None` beyond the years 0 to 9999.
    pub(super) fn of_days(days: i64) -> Option<Date> {
        let days = days.checked_add(EPOCH)?;
        let (era, of_era) = (days.div_euclid(DAYS_AN_ERA), days.rem_euclid(DAYS_AN_ERA));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, is_next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let year = u32::try_from(era * 400 + year + is_next).ok()?;
        Date::new(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
    }

    pub(super) fn is_first_of_month(self) -> bool {
        self.day == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_ten_thousand_years() {
        let mut days = Date { year: 0, month: 1, day: 1 }.days_since_1970();
        assert_eq!(Date::of_days(days - 1), None);
        for year in 0..=9_999 {
            for month in 1..=12 {
                for date in (1..=31).filter_map(|day| Date::new(year, month, day)) {
                    assert_eq!((date.days_since_1970(), Date::of_days(days)), (days, Some(date)));
                    days += 1;
                }
            }
        }
        // `date -u -d 9999-12-31 +%s`
        assert_eq!(days * SECONDS_A_DAY, 253_402_300_800);
        assert_eq!((Date::of_days(days), Date::of_days(i64::MAX)), (None, None));
    }
}
