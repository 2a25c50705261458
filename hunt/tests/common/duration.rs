//! How long a test may go on: a few seconds, or what an environment variable says.

use std::time::Duration;

/// The duration that the variable names, such as `90s`, `10m` or `1h30m`; the usual one where it is not
/// set.
pub fn from_environment(variable: &str, usual: Duration) -> Duration {
    match std::env::var(variable) {
        Err(_) => usual,
        Ok(text) => parse(&text)
            .unwrap_or_else(|| panic!("{variable} is a duration such as 10m, and not {text:?}")),
    }
}

/// Numbers, each with its unit: `h`, `m`, `s` or `ms`.
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: u32 = rest[..digits].parse().ok()?;
        let unit = rest[digits..]
            .find(|letter: char| letter.is_ascii_digit())
            .map_or(rest.len(), |letters| digits + letters);
        let one = match &rest[digits..unit] {
            "h" => Duration::from_secs(3_600),
            "m" => Duration::from_secs(60),
            "s" => Duration::from_secs(1),
            "ms" => Duration::from_millis(1),
            _ => return None,
        };
        sum += one * number;
        rest = &rest[unit..];
    }
    (!sum.is_zero()).then_some(sum)
}

#[test]
fn durations_are_read() {
    let seconds = |text| parse(text).map(|duration| duration.as_secs_f64());
    for (text, right) in [
        ("10m", Some(600.0)),
        ("90s", Some(90.0)),
        ("1h30m", Some(5_400.0)),
        ("500ms", Some(0.5)),
        ("", None),
        ("0s", None),
        ("10", None),
        ("m", None),
        ("10 minutes", None),
    ] {
        assert_eq!(seconds(text), right, "{text}");
    }
}
