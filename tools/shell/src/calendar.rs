//! Dates and times in UTC, the sandbox's only time zone.

/// A moment: seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment as people count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

/// Days since 1970 of a date in the Gregorian calendar; months beyond 1 to 12 carry over.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = (year + (month - 1).div_euclid(12), (month - 1).rem_euclid(12) + 1);
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl Civil {
    pub(crate) fn seconds(self) -> i64 {
        days(self.year, self.month, self.day) * 86_400 + self.hour * 3600 + self.minute * 60 + self.second
    }
}

impl Moment {
    pub(crate) fn new(seconds: i64, nanoseconds: u32) -> Self {
        Self { seconds, nanoseconds }
    }

    pub(crate) fn civil(self) -> Civil {
        let (day, of_day) = (self.seconds.div_euclid(86_400), self.seconds.rem_euclid(86_400));
        let shifted = day + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted - era * 146_097;
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_shifted = (5 * of_year + 2) / 153;
        let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * month_shifted + 2) / 5 + 1,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        }
    }

    fn weekday(self) -> i64 {
        (self.seconds.div_euclid(86_400) + 4).rem_euclid(7)
    }

    /// The ISO 8601 year and week.
    fn iso_week(self) -> (i64, i64) {
        let monday_based = (self.weekday() + 6) % 7;
        let thursday = Self::new(self.seconds + (3 - monday_based) * 86_400, 0).civil();
        let of_year = days(thursday.year, thursday.month, thursday.day) - days(thursday.year, 1, 1);
        (thursday.year, of_year / 7 + 1)
    }

    /// As `strftime` writes it, with GNU's flags `-`, `_`, `0`, `^`.
    pub(crate) fn format(self, layout: &str) -> String {
        let mut out = String::new();
        let mut letters = layout.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                out.push(letter);
                continue;
            }
            let mut flag = None;
            let mut width = String::new();
            let kind = loop {
                match letters.next() {
                    Some(mark @ ('-' | '_' | '^' | '0')) if width.is_empty() => flag = Some(mark),
                    Some(digit) if digit.is_ascii_digit() => width.push(digit),
                    Some(':' | 'E' | 'O') => {}
                    other => break other,
                }
            };
            let Some(kind) = kind else {
                out.push('%');
                break;
            };
            let text = self.field(kind, flag, width.parse().unwrap_or(0));
            out.push_str(&if flag == Some('^') { text.to_uppercase() } else { text });
        }
        out
    }

    fn field(self, kind: char, flag: Option<char>, width: usize) -> String {
        let civil = self.civil();
        let number = |value: i64, usual: usize, fill: char| {
            let least = if width > 0 { width } else { usual };
            match (flag, fill) {
                (Some('-'), _) => value.to_string(),
                (Some('_'), _) | (None, ' ') => format!("{value:>least$}"),
                _ => format!("{value:0>least$}"),
            }
        };
        let name = |list: &[&str], at: i64| {
            usize::try_from(at).ok().and_then(|at| list.get(at).copied()).unwrap_or("?").to_owned()
        };
        let short = |text: String| text.chars().take(3).collect::<String>();
        let twelve = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
        let of_year = days(civil.year, civil.month, civil.day) - days(civil.year, 1, 1);
        match kind {
            'Y' => civil.year.to_string(),
            'C' => number(civil.year / 100, 2, '0'),
            'y' => number(civil.year.rem_euclid(100), 2, '0'),
            'm' => number(civil.month, 2, '0'),
            'd' => number(civil.day, 2, '0'),
            'e' => number(civil.day, 2, ' '),
            'H' => number(civil.hour, 2, '0'),
            'k' => number(civil.hour, 2, ' '),
            'I' => number(twelve, 2, '0'),
            'l' => number(twelve, 2, ' '),
            'M' => number(civil.minute, 2, '0'),
            'S' => number(civil.second, 2, '0'),
            'N' => format!("{:09}", self.nanoseconds).chars().take(if width > 0 { width } else { 9 }).collect(),
            's' => self.seconds.to_string(),
            'j' => number(of_year + 1, 3, '0'),
            'a' => short(name(&DAYS, self.weekday())),
            'A' => name(&DAYS, self.weekday()),
            'b' | 'h' => short(name(&MONTHS, civil.month - 1)),
            'B' => name(&MONTHS, civil.month - 1),
            'u' => (if self.weekday() == 0 { 7 } else { self.weekday() }).to_string(),
            'w' => self.weekday().to_string(),
            'G' => self.iso_week().0.to_string(),
            'V' => number(self.iso_week().1, 2, '0'),
            'U' => number((of_year + 7 - self.weekday()) / 7, 2, '0'),
            'W' => number((of_year + 7 - (self.weekday() + 6) % 7) / 7, 2, '0'),
            'p' => (if civil.hour < 12 { "AM" } else { "PM" }).to_owned(),
            'P' => (if civil.hour < 12 { "am" } else { "pm" }).to_owned(),
            'Z' => "UTC".to_owned(),
            'z' => "+0000".to_owned(),
            'F' => self.format("%Y-%m-%d"),
            'T' => self.format("%H:%M:%S"),
            'R' => self.format("%H:%M"),
            'D' | 'x' => self.format("%m/%d/%y"),
            'X' => self.format("%H:%M:%S"),
            'r' => self.format("%I:%M:%S %p"),
            'c' => self.format("%a %b %e %H:%M:%S %Y"),
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            '%' => "%".to_owned(),
            other => format!("%{other}"),
        }
    }

    /// Reads what `date -d` reads: `@seconds`, ISO dates and times, and words such as `yesterday` or `2 days ago`.
    pub(crate) fn parse(text: &str, now: Self) -> Option<Self> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix('@') {
            let (whole, part) = rest.split_once('.').unwrap_or((rest, ""));
            let nanoseconds = format!("{part:0<9}").get(..9)?.parse().ok()?;
            return Some(Self::new(whole.parse().ok()?, nanoseconds));
        }
        let mut civil = now.civil();
        let mut offset = 0;
        let spaced = text.replace('T', " ").replace('Z', " UTC");
        let spaced = if text.starts_with(|first: char| first.is_ascii_digit()) { spaced } else { text.to_owned() };
        let words = words(&spaced);
        let mut at = 0;
        let mut timed = false;
        while let Some(word) = words.get(at) {
            at += 1;
            match word.as_str() {
                "now" | "utc" | "gmt" | "+0000" => continue,
                "today" => continue,
                "yesterday" => civil.day -= 1,
                "tomorrow" => civil.day += 1,
                "pm" if timed && civil.hour < 12 => civil.hour += 12,
                "am" if timed && civil.hour == 12 => civil.hour = 0,
                "am" | "pm" if timed => {}
                zone if timed && is_zone(zone) => {
                    let digits: i64 = zone.get(1..)?.parse().ok()?;
                    let east = digits / 100 * 3600 + digits % 100 * 60;
                    offset = if zone.starts_with('-') { -east } else { east };
                }
                "midnight" => (civil.hour, civil.minute, civil.second, timed) = (0, 0, 0, true),
                "next" | "last" => {
                    let unit = words.get(at)?;
                    at += 1;
                    shift(&mut civil, if word == "next" { 1 } else { -1 }, unit)?;
                }
                word if date(word, &mut civil).is_some() => {
                    if !timed {
                        (civil.hour, civil.minute, civil.second) = (0, 0, 0);
                    }
                }
                word if time(word, &mut civil, &mut offset).is_some() => timed = true,
                word => {
                    let count: i64 = word.strip_prefix('+').unwrap_or(word).parse().ok()?;
                    let unit = words.get(at)?;
                    at += 1;
                    let ago = words.get(at).is_some_and(|word| word == "ago");
                    at += usize::from(ago);
                    shift(&mut civil, if ago { -count } else { count }, unit)?;
                }
            }
        }
        Some(Self::new(civil.seconds() - offset, 0))
    }
}

fn shift(civil: &mut Civil, count: i64, unit: &str) -> Option<()> {
    match unit.trim_end_matches('s') {
        "second" | "sec" => civil.second += count,
        "minute" | "min" => civil.minute += count,
        "hour" => civil.hour += count,
        "day" => civil.day += count,
        "week" => civil.day += 7 * count,
        "fortnight" => civil.day += 14 * count,
        "month" => civil.month += count,
        "year" => civil.year += count,
        _ => return None,
    }
    Some(())
}

/// `2024-01-31`, `2024/1/31`
fn date(word: &str, civil: &mut Civil) -> Option<()> {
    let mut pieces = word.split(['-', '/']);
    let (year, month, day) = (pieces.next()?, pieces.next()?, pieces.next()?);
    if pieces.next().is_some() || year.len() != 4 {
        return None;
    }
    let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    (civil.year, civil.month, civil.day) = (year, month, day);
    Some(())
}

/// `12:30`, `12:30:15`, with an offset such as `+02:00`.
fn time(word: &str, civil: &mut Civil, offset: &mut i64) -> Option<()> {
    let (clock, zone) = match word.find(['+', '-']) {
        Some(at) => (word.get(..at)?, word.get(at..)),
        None => (word, None),
    };
    let mut pieces = clock.split(':');
    let (hour, minute) = (pieces.next()?.parse().ok()?, pieces.next()?.parse().ok()?);
    let second = pieces.next().map_or(Some(0), |text| text.split('.').next()?.parse().ok())?;
    if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..61).contains(&second) {
        return None;
    }
    if let Some(zone) = zone {
        let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
        let value: i64 = digits.parse().ok()?;
        let span = if digits.len() <= 2 { value * 3600 } else { value / 100 * 3600 + value % 100 * 60 };
        *offset = if zone.starts_with('-') { -span } else { span };
    }
    (civil.hour, civil.minute, civil.second) = (hour, minute, second);
    Some(())
}

/// `+0200`
fn is_zone(word: &str) -> bool {
    word.len() == 5 && word.starts_with(['+', '-']) && word.bytes().skip(1).all(|byte| byte.is_ascii_digit())
}

/// The words of a date, those of `1 Jan 2020`, `12/25/2023` and `20240102` put as `2020-01-01`; signs joined to their numbers, and
/// without days of the week.
fn words(text: &str) -> Vec<String> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let is_digits = |word: &str, size: usize| word.len() == size && word.bytes().all(|byte| byte.is_ascii_digit());
    let mut all: Vec<String> = Vec::new();
    let mut sign = "";
    for word in text.to_lowercase().split([' ', '\t', '\n', ',']).filter(|word| !word.is_empty()) {
        if word == "+" || word == "-" {
            sign = if word == "+" { "+" } else { "-" };
        } else if let [month, day, year] = word.split('/').collect::<Vec<_>>().as_slice()
            && month.len() < 3
        {
            all.push(format!("{year}-{month:0>2}-{day:0>2}"));
        } else if let (Some(year), Some(month), Some(day)) = (word.get(..4), word.get(4..6), word.get(6..))
            && is_digits(word, 8)
        {
            all.push(format!("{year}-{month}-{day}"));
        } else if !DAYS.iter().any(|day| word.starts_with(day) && (word.len() == 3 || word.ends_with("day"))) {
            all.push(format!("{}{word}", std::mem::take(&mut sign)));
        }
    }
    let named = all
        .iter()
        .position(|word| word.len() >= 3 && MONTHS.iter().any(|month| word.starts_with(month)) && word != "monday");
    let Some(at) = named else { return all };
    let month = all.get(at).and_then(|word| MONTHS.iter().position(|month| word.starts_with(month))).unwrap_or(0) + 1;
    let short = |at: usize| all.get(at).filter(|word| is_digits(word, 1) || is_digits(word, 2)).cloned();
    let (day, from, after) = match (at.checked_sub(1).and_then(short), short(at + 1)) {
        (Some(day), _) => (day, at - 1, at + 1),
        (None, Some(day)) => (day, at, at + 2),
        (None, None) => return all,
    };
    // The year stands right after, or at the end, after the time.
    let year = (after..all.len()).find(|at| all.get(*at).is_some_and(|word| is_digits(word, 4)));
    if let Some(year_at) = year
        && let Some(year) = all.get(year_at).cloned()
    {
        all.remove(year_at);
        all.splice(from..after, [format!("{year}-{month:0>2}-{day:0>2}")]);
    }
    all
}
